"""ApiVersions: what this broker speaks (KIP-35, KIP-511)."""

import re

from service.broker.context import RequestContext
from service.protocol.api import SUPPORTED, VERSIONS, ApiKey
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.api_versions import (
    ApiVersion,
    ApiVersionsRequest,
    ApiVersionsResponse,
)

_SOFTWARE_NAMED_SINCE = 3
_SOFTWARE = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?")


class ApiVersionsHandler:
    """Answers with the advertised ranges, or with the one that a newer client needs to go on."""

    def __init__(self) -> None:
        self._ranges = [
            ApiVersion(api_key=int(key), min_version=versions.first, max_version=versions.last)
            for key, versions in SUPPORTED.items()
        ]
        own = SUPPORTED[ApiKey.API_VERSIONS]
        self._own = ApiVersion(
            api_key=int(ApiKey.API_VERSIONS), min_version=own.first, max_version=own.last
        )

    def __call__(self, context: RequestContext, request: ApiVersionsRequest) -> ApiVersionsResponse:
        if context.api_version not in VERSIONS[ApiKey.API_VERSIONS]:
            # The client learns from this one entry which version to ask with (KIP-511).
            return ApiVersionsResponse(
                error_code=ErrorCode.UNSUPPORTED_VERSION, api_keys=[self._own]
            )
        if context.api_version >= _SOFTWARE_NAMED_SINCE and not (
            _SOFTWARE.fullmatch(request.client_software_name)
            and _SOFTWARE.fullmatch(request.client_software_version)
        ):
            return ApiVersionsResponse(error_code=ErrorCode.INVALID_REQUEST)
        return ApiVersionsResponse(api_keys=self._ranges)
