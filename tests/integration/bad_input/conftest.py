"""One broker for all tests; after each it must still serve others, and have met no defect."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.bad_input.broker_process import BrokerProcess
from tests.integration.bad_input.wire import Wire, serves_others


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    broker = BrokerProcess(tmp_path_factory.mktemp("broker"))
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def probe_topic(running: BrokerProcess) -> str:
    with Wire(running.address) as wire:
        return wire.create_topic()


@pytest.fixture
def broker(running: BrokerProcess, probe_topic: str) -> Iterator[BrokerProcess]:
    """The broker, which has to be well afterwards."""
    yield running
    serves_others(running.address, probe_topic)
    assert "request_failed" not in running.log_text()
    assert "Traceback" not in running.log_text()


@pytest.fixture
def wire(broker: BrokerProcess) -> Iterator[Wire]:
    with Wire(broker.address) as wire:
        yield wire


@pytest.fixture
def topic(wire: Wire) -> str:
    return wire.create_topic()


@pytest.fixture
def checked_topic(wire: Wire) -> str:
    """A topic whose batches are opened and looked at."""
    return wire.create_topic(record_validation="full")


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    """A broker that a test may restart."""
    broker = BrokerProcess(tmp_path)
    broker.start()
    yield broker
    broker.stop()
