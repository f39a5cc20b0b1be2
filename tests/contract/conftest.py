"""Every implementation of the metadata store. An ensemble is slow, and has a switch of its own."""

import os
from collections.abc import AsyncIterator, Callable

import pytest

from service.coordination.metadata_store import MetadataStore
from tests.contract.metadata_servers import (
    EmbeddedServer,
    KazooMetadata,
    MetadataServer,
    WireMetadata,
    ZooKeeperMetadata,
)

ENSEMBLE = "EVERLOG_TEST_ENSEMBLE"
"""Set to 1, as `make conformance` does, it has the suite run on three servers too."""

Make = Callable[[pytest.FixtureRequest], MetadataServer]


def _embedded(_request: pytest.FixtureRequest) -> MetadataServer:
    return EmbeddedServer()


def _zookeeper(request: pytest.FixtureRequest) -> MetadataServer:
    return ZooKeeperMetadata(request.getfixturevalue("zookeeper"))


def _ensemble(request: pytest.FixtureRequest) -> MetadataServer:
    return ZooKeeperMetadata(request.getfixturevalue("zookeeper_ensemble"))


def _wire(_request: pytest.FixtureRequest) -> MetadataServer:
    return WireMetadata()


SERVERS: dict[str, Make] = {"embedded": _embedded, "wire": _wire, "zookeeper": _zookeeper}
if os.environ.get(ENSEMBLE) == "1":
    SERVERS["ensemble"] = _ensemble


@pytest.fixture(params=sorted(SERVERS))
async def server(request: pytest.FixtureRequest) -> AsyncIterator[MetadataServer]:
    server = SERVERS[request.param](request)
    yield server
    await server.stop()


@pytest.fixture
async def store(server: MetadataServer) -> MetadataStore:
    return await server.connect()


@pytest.fixture
async def other(server: MetadataServer) -> MetadataStore:
    return await server.connect()


@pytest.fixture(params=["wire", "zookeeper"])
async def tree(request: pytest.FixtureRequest) -> AsyncIterator[KazooMetadata]:
    """A path of its own on a server that speaks the protocol."""
    metadata: KazooMetadata
    if request.param == "wire":
        metadata = WireMetadata()
        await metadata.start()
    else:
        metadata = ZooKeeperMetadata(request.getfixturevalue("zookeeper"))
    yield metadata
    await metadata.stop()
