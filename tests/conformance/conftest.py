"""Real clients against one running server; ``servers.py`` says which."""

import secrets
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import cast

import pytest

from tests.conformance.client import Client, Surroundings
from tests.conformance.clients.catalogue import CONFLUENT, Kind, kinds, left_out
from tests.conformance.clients.confluent import ConfluentClient
from tests.conformance.clients.kafka_python import KafkaPythonAdmin
from tests.conformance.group import Group
from tests.conformance.records import PARTITIONS, RECORDS_DEFAULT, record_count
from tests.conformance.servers import running_server
from tests.conformance.waiting import wait_until_true
from tests.spreading import tell_what_is_left_out

_HERE = Path(__file__).parent
_TIMEOUT_SECONDS = 120

# A server that was there before may hold the topics of an earlier run.
_RUN = secrets.token_hex(4)
_topic_numbers = count(1)


def pytest_report_collectionfinish() -> list[str]:
    return _left_out()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    tell_what_is_left_out(config, _left_out())
    timeout = pytest.mark.timeout(_TIMEOUT_SECONDS * max(1, record_count() // RECORDS_DEFAULT))
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(timeout)


def _left_out() -> list[str]:
    return [f"conformance leaves out {line}" for line in left_out()]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test with every client that it applies to, and with each codec it asks for.

    A test says by a fixture's name which clients it is for: ``kind`` all, ``admin_kind`` and
    ``committing_kind`` those that can.
    """
    chosen = [
        kind
        for kind in kinds()
        if (kind.administers or "admin_kind" not in metafunc.fixturenames)
        and (kind.commits_at_will or "committing_kind" not in metafunc.fixturenames)
    ]
    if "codec" in metafunc.fixturenames:
        pairs = [_param(kind, codec) for kind in chosen for codec in kind.codecs]
        metafunc.parametrize(("kind", "codec"), pairs, scope="session")
    elif "kind" in metafunc.fixturenames:
        metafunc.parametrize("kind", [_param(kind) for kind in chosen], scope="session")


def _param(kind: Kind, *codec: str) -> object:
    reason = kind.missing()
    marks = [pytest.mark.skip(reason=reason)] if reason else []
    return pytest.param(kind, *codec, id="-".join((kind.name, *codec)), marks=marks)


@pytest.fixture(scope="session")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_server(tmp_path_factory.mktemp("server")) as bootstrap:
        yield bootstrap


@pytest.fixture(scope="session")
def surroundings(bootstrap: str, tmp_path_factory: pytest.TempPathFactory) -> Surroundings:
    return Surroundings(bootstrap=bootstrap, directory=tmp_path_factory.mktemp("clients"))


@pytest.fixture(scope="session")
def reference(surroundings: Surroundings) -> ConfluentClient:
    """The client that every other is compared with."""
    return cast("ConfluentClient", CONFLUENT.start(surroundings))


@pytest.fixture(scope="session")
def bookkeeper(surroundings: Surroundings) -> Iterator[KafkaPythonAdmin]:
    """Reads what groups have committed, and the text with it."""
    admin = KafkaPythonAdmin(surroundings.bootstrap)
    yield admin
    admin.close()


@pytest.fixture(scope="session")
def client(kind: Kind, surroundings: Surroundings) -> Iterator[Client]:
    client = kind.start(surroundings)
    yield client
    client.close()


@pytest.fixture(scope="session")
def admin_kind(kind: Kind) -> Kind:
    return kind


@pytest.fixture(scope="session")
def committing_kind(kind: Kind) -> Kind:
    return kind


@pytest.fixture
def topic(reference: ConfluentClient) -> str:
    """A new topic of four partitions whose old timestamps do not expire."""
    name = f"conformance-{_RUN}-{next(_topic_numbers)}"
    reference.admin.create_topic(name, PARTITIONS, {"retention.ms": "-1"})
    # Kafka answers before its brokers know the topic, and some clients ask only once.
    wait_until_true(lambda: reference.admin.is_led(name, range(PARTITIONS)))
    return name


@pytest.fixture
def group(client: Client, topic: str) -> Iterator[Group]:
    group = Group(client, topic)
    yield group
    group.close()
