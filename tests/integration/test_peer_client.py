"""A broker's own client against a broker, over real sockets."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
import uvloop

from everlog.records.builder import Record, build_batch
from everlog.testing import RunningServer, running_server
from service.app.system import SystemClock, SystemIds
from service.app.system_network import SystemNetwork
from service.net.peer_client import PeerClient
from service.net.peer_connection import PeerLimits, PeerLostError
from service.protocol.api import SUPPORTED
from service.protocol.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from service.protocol.messages.create_topics import (
    CreatableTopic,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from service.protocol.messages.fetch import (
    FetchPartition,
    FetchRequest,
    FetchResponse,
    FetchTopic,
)
from service.protocol.messages.metadata import (
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
)
from service.protocol.messages.produce import (
    PartitionProduceData,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)
from service.protocol.schema import Request, Response

SECONDS = 30.0
FETCH_VERSION = 17
BATCHES = 3
RECORD = b"v" * 100_000

Life = Callable[[PeerClient], Coroutine[Any, Any, None]]
Play = Callable[[Life], None]


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server() as running:
        yield running


@pytest.fixture(params=[uvloop.new_event_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"])
def play(request: pytest.FixtureRequest, server: RunningServer) -> Play:
    """Run a story with a client of the server, on the loop of brokers and on that of others."""

    async def run(life: Life) -> None:
        host, _, port = server.bootstrap.rpartition(":")
        client = PeerClient(
            network=SystemNetwork(),
            host=host,
            port=int(port),
            client_id="peer",
            limits=PeerLimits(),
            clock=SystemClock(),
            ids=SystemIds(),
        )
        try:
            await life(client)
        finally:
            client.close()

    def played(life: Life) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(run(life))

    return played


async def _ask(client: PeerClient, request: Request, version: int) -> Response:
    return await client.request(request, version=version, timeout_seconds=SECONDS)


def test_a_broker_tells_what_it_speaks(play: Play) -> None:
    async def life(client: PeerClient) -> None:
        for version in (0, 4):
            request = ApiVersionsRequest(client_software_name="a", client_software_version="1")
            response = await _ask(client, request, version)
            assert isinstance(response, ApiVersionsResponse)
            assert {each.api_key for each in response.api_keys} == set(map(int, SUPPORTED))

    play(life)


def test_what_was_produced_is_fetched_as_slices_of_one_frame(play: Play) -> None:
    async def life(client: PeerClient) -> None:
        topic = f"fetched-{type(asyncio.get_running_loop()).__module__.replace('.', '-')}"
        topic_id = await _created(client, topic)
        batches = [
            build_batch([Record(key=None, value=RECORD, timestamp_ms=1)]) for _ in range(BATCHES)
        ]
        await asyncio.gather(*(_produced(client, topic, bytes(batch)) for batch in batches))
        response = await _ask(client, _fetch(topic_id), FETCH_VERSION)
        assert isinstance(response, FetchResponse)
        (found,) = response.responses[0].partitions
        assert (found.error_code, found.high_watermark) == (0, BATCHES)
        records = found.records
        assert isinstance(records, memoryview)
        assert bytes(records).count(RECORD) == BATCHES
        assert not records.readonly
        before = bytes(records)
        await asyncio.gather(*(_ask(client, _fetch(topic_id), FETCH_VERSION) for _ in range(5)))
        assert records == before

    play(life)


def test_a_server_that_comes_back_is_asked_again(play: Play, server: RunningServer) -> None:
    async def life(client: PeerClient) -> None:
        assert await _brokers(client) == 1
        server.stop()
        with pytest.raises(PeerLostError):
            await _brokers(client)
        server.start()
        assert await _brokers(client) == 1

    play(life)


async def _brokers(client: PeerClient) -> int:
    response = await _ask(client, MetadataRequest(topics=[]), 12)
    assert isinstance(response, MetadataResponse)
    return len(response.brokers)


async def _created(client: PeerClient, topic: str) -> bytes:
    """Create a topic of one partition; return its id."""
    wanted = CreatableTopic(name=topic, num_partitions=1, replication_factor=1)
    created = await _ask(client, CreateTopicsRequest(topics=[wanted], timeout_ms=10_000), 7)
    assert isinstance(created, CreateTopicsResponse)
    assert created.topics[0].error_code == 0
    asked = MetadataRequest(topics=[MetadataRequestTopic(name=topic)])
    response = await _ask(client, asked, 12)
    assert isinstance(response, MetadataResponse)
    assert response.topics[0].error_code == 0
    return response.topics[0].topic_id


async def _produced(client: PeerClient, topic: str, batch: bytes) -> None:
    data = TopicProduceData(
        name=topic, partition_data=[PartitionProduceData(index=0, records=batch)]
    )
    request = ProduceRequest(acks=-1, timeout_ms=10_000, topic_data=[data])
    response = await _ask(client, request, 9)
    assert isinstance(response, ProduceResponse)
    assert response.responses[0].partition_responses[0].error_code == 0


def _fetch(topic_id: bytes) -> FetchRequest:
    """Ask for everything of partition 0, as a replica that has synced nothing would."""
    partition = FetchPartition(partition=0, partition_max_bytes=1 << 20, synced_end=0)
    return FetchRequest(
        max_wait_ms=0,
        min_bytes=0,
        max_bytes=1 << 20,
        topics=[FetchTopic(topic_id=topic_id, partitions=[partition])],
    )
