"""What can be wrong with the bytes of the archive."""

from everlog.model.errors import CorruptionError, RejectedError


class CorruptObjectError(CorruptionError):
    """Bytes of the archive fail a checksum or contradict each other."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"{what} is corrupt: {reason}")
        self.what = what
        self.reason = reason


class UnsupportedFormatError(RejectedError):
    """Sound bytes of a later format; a newer Everlog reads them."""

    def __init__(self, what: str, found: int, known: int) -> None:
        super().__init__(
            f"{what} has format {found}, this version reads up to {known}: use a newer Everlog"
        )
        self.what = what
        self.found = found
        self.known = known
