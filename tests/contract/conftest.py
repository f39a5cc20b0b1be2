"""Every implementation of the metadata store; real ZooKeeper joins by one more entry."""

from collections.abc import AsyncIterator, Callable

import pytest

from service.coordination.metadata_store import MetadataStore
from tests.contract.metadata_servers import EmbeddedServer, MetadataServer

SERVERS: dict[str, Callable[[], MetadataServer]] = {"embedded": EmbeddedServer}


@pytest.fixture(params=sorted(SERVERS))
async def server(request: pytest.FixtureRequest) -> AsyncIterator[MetadataServer]:
    server = SERVERS[request.param]()
    yield server
    await server.stop()


@pytest.fixture
async def store(server: MetadataServer) -> MetadataStore:
    return await server.connect()


@pytest.fixture
async def other(server: MetadataServer) -> MetadataStore:
    return await server.connect()
