"""The pytest plugin: a fixture that gives a test a server.

    def test_something(everlog_server):
        client = SomeKafkaClient(bootstrap_servers=everlog_server.bootstrap)

One server serves all tests of a session; tests keep apart by the names of their topics. A module
that needs other settings makes its own with `everlog.testing.running_server`.
"""

from collections.abc import Iterator

import pytest

from everlog.testing.server import RunningServer, running_server


@pytest.fixture(scope="session")
def everlog_server() -> Iterator[RunningServer]:
    """Give a server that runs for the whole session."""
    with running_server() as server:
        yield server
