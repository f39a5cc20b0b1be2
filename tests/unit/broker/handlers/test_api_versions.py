"""ApiVersions: what this broker speaks."""

import pytest

from service.broker.handlers.api_versions import ApiVersionsHandler
from service.protocol.api import SUPPORTED, ApiKey
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.api_versions import ApiVersionsRequest
from tests.unit.broker.handlers.town import context

NAMED = ApiVersionsRequest(client_software_name="x", client_software_version="1.0")


def test_everything_that_is_served_is_listed() -> None:
    response = ApiVersionsHandler()(context(3), NAMED)
    assert response.error_code == 0
    found = {each.api_key: (each.min_version, each.max_version) for each in response.api_keys}
    assert found == {int(key): (each.first, each.last) for key, each in SUPPORTED.items()}
    assert found[ApiKey.PRODUCE][0] == 0


@pytest.mark.parametrize("version", [-1, 5, 32767])
def test_a_newer_client_learns_which_version_to_use(version: int) -> None:
    response = ApiVersionsHandler()(context(version), ApiVersionsRequest())
    assert response.error_code == ErrorCode.UNSUPPORTED_VERSION
    assert [each.api_key for each in response.api_keys] == [ApiKey.API_VERSIONS]


@pytest.mark.parametrize("name", ["", " ", "-x", "x-", "a b", "é", "x\n"])
def test_software_has_a_proper_name_since_version_3(name: str) -> None:
    request = ApiVersionsRequest(client_software_name=name, client_software_version="1")
    assert ApiVersionsHandler()(context(3), request).error_code == ErrorCode.INVALID_REQUEST
    assert ApiVersionsHandler()(context(2), request).error_code == 0
