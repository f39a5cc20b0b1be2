"""What the protocol raises; the package stands alone, so these are no errors of `everlog.model`."""


class ProtocolError(Exception):
    """Bytes that are no message of their API and version; their connection has to be closed."""


class UnsupportedApiError(ProtocolError):
    """A header asks for an API or a version that is not served, and so for an unknown layout."""

    def __init__(self, api_key: int, api_version: int, correlation_id: int) -> None:
        super().__init__(f"api key {api_key} is not served in version {api_version}")
        self.api_key = api_key
        self.api_version = api_version
        self.correlation_id = correlation_id


class EncodeError(ProtocolError):
    """A message holds what its version cannot carry: the fault is on this side, not the peer's."""
