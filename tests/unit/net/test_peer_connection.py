"""What another broker may send, and what it may not."""

import asyncio
import struct
from collections.abc import Callable

import pytest

from service.net.peer_connection import (
    RESPONSE_BYTES_MAX,
    PeerConnection,
    PeerLimits,
    PeerLostError,
)
from service.protocol.framing import LENT_MEMORY_BYTES_MIN
from service.protocol.headers import RequestHeader
from service.protocol.messages.fetch import (
    FetchableTopicResponse,
    FetchRequest,
    FetchResponse,
    PartitionData,
)
from service.protocol.messages.heartbeat import HeartbeatRequest
from service.protocol.messages.metadata import (
    MetadataRequest,
    MetadataResponse,
    MetadataResponseTopic,
)
from service.protocol.schema import Request
from tests.unit.net.fakes import FakeTransport
from tests.unit.net.scripted_peer import Line, Scene, echo, framed, honest, play

FETCH_VERSION = 12

Misdeed = Callable[[Line, RequestHeader, Request], None]


def _garbage(line: Line, header: RequestHeader, request: Request) -> None:
    line.send(bytes(range(255, 100, -1)))


def _garbage_in_a_frame(line: Line, header: RequestHeader, request: Request) -> None:
    line.send(struct.pack(">ii", 9, header.correlation_id) + b"\xff" * 5)


def _a_frame_without_a_header(line: Line, header: RequestHeader, request: Request) -> None:
    line.send(struct.pack(">i", 2) + b"\0\0")


def _an_empty_frame(line: Line, header: RequestHeader, request: Request) -> None:
    line.send(bytes(4))


def _another_correlation_id(line: Line, header: RequestHeader, request: Request) -> None:
    line.send(echo(header._replace(correlation_id=header.correlation_id + 1), request))


def _the_response_of_another_version(line: Line, header: RequestHeader, request: Request) -> None:
    line.send(echo(header._replace(api_version=3), request))


def _a_frame_beyond_the_limit(line: Line, header: RequestHeader, request: Request) -> None:
    line.send(struct.pack(">i", RESPONSE_BYTES_MAX + 1))


def _a_frame_cut_short(line: Line, header: RequestHeader, request: Request) -> None:
    line.send(echo(header, request)[:-1])


def _a_large_frame_cut_short(line: Line, header: RequestHeader, request: Request) -> None:
    line.send(struct.pack(">ii", RESPONSE_BYTES_MAX, header.correlation_id) + bytes(100_000))


def _an_end_in_the_middle(line: Line, header: RequestHeader, request: Request) -> None:
    line.send(echo(header, request)[:-1])
    line.transport.abort()


def _an_end_at_once(line: Line, header: RequestHeader, request: Request) -> None:
    line.transport.abort()


MISDEEDS = {
    _garbage: "a frame cannot have",
    _garbage_in_a_frame: "tag|length|early|varint",
    _a_frame_without_a_header: "header of 2 bytes",
    _an_empty_frame: "cannot have 0 bytes",
    _another_correlation_id: "response 2 in place of 1",
    _the_response_of_another_version: "early|length|tag",
    _a_frame_beyond_the_limit: f"cannot have {RESPONSE_BYTES_MAX + 1} bytes",
    _a_frame_cut_short: "no response to HEARTBEAT in time",
    _a_large_frame_cut_short: "no response to HEARTBEAT in time",
    _an_end_in_the_middle: "it has closed the connection",
    _an_end_at_once: "it has closed the connection",
}


@pytest.mark.parametrize("misdeed", MISDEEDS, ids=lambda misdeed: misdeed.__name__)
def test_a_misdeed_ends_the_connection_and_the_next_one_is_good(misdeed: Misdeed) -> None:
    async def life(scene: Scene) -> None:
        assert await scene.ask(1) == 1
        scene.peer.reply = misdeed
        with pytest.raises(PeerLostError, match=MISDEEDS[misdeed]):
            await scene.ask(2, seconds=7)
        scene.peer.reply = honest
        assert await scene.ask(3) == 3
        await asyncio.sleep(0.05)
        assert [line.is_open for line in scene.peer.lines] == [False, True]

    play(life)


def test_a_response_that_nobody_has_asked_for_ends_the_connection() -> None:
    async def life(scene: Scene) -> None:
        assert await scene.ask(1) == 1
        scene.peer.lines[0].send(echo(*scene.peer.requests[0]))
        await asyncio.sleep(0.05)
        assert not scene.peer.lines[0].is_open
        assert await scene.ask(2) == 2

    play(life)


def test_what_was_given_up_is_still_checked() -> None:
    async def life(scene: Scene) -> None:
        held: list[tuple[Line, RequestHeader, Request]] = []
        scene.peer.reply = lambda *asked: held.append(asked)
        first, second = scene.asking(1), scene.asking(2)
        while len(held) < 2:
            await asyncio.sleep(0.0001)
        first.cancel()
        line, header, request = held[1]
        line.send(echo(header, request))
        with pytest.raises(PeerLostError, match="response 1 in place of 0"):
            await second

    play(life)


def test_a_response_of_too_many_elements_ends_the_connection() -> None:
    async def life(scene: Scene) -> None:
        async def topics(count: int) -> int:
            many = MetadataResponse(topics=[MetadataResponseTopic()] * count)
            scene.peer.reply = lambda line, header, _: line.send(framed(header, many))
            response = await scene.client.request(MetadataRequest(), version=9, timeout_seconds=30)
            assert isinstance(response, MetadataResponse)
            return len(response.topics)

        assert await topics(10) == 10
        with pytest.raises(PeerLostError, match="too many"):
            await topics(11)

    play(life, elements_max=10)


def test_a_frame_as_large_as_the_limit_is_taken_and_one_byte_more_is_not() -> None:
    request = HeartbeatRequest()
    size = len(echo(RequestHeader(12, 4, 0, None, 0), request)) - 4

    async def life(scene: Scene) -> None:
        assert await scene.ask(1) == 1

    play(life, frame_bytes_max=size)

    async def death(scene: Scene) -> None:
        with pytest.raises(PeerLostError, match=f"cannot have {size} bytes"):
            await scene.ask(1)

    play(death, frame_bytes_max=size - 1)


# ---- records


def _fetched(*records: bytes) -> FetchResponse:
    partitions = [
        PartitionData(partition_index=index, records=each) for index, each in enumerate(records)
    ]
    return FetchResponse(responses=[FetchableTopicResponse(topic="t", partitions=partitions)])


async def _records(scene: Scene) -> list[memoryview]:
    response = await scene.client.request(FetchRequest(), version=FETCH_VERSION, timeout_seconds=30)
    assert isinstance(response, FetchResponse)
    found = [each.records for each in response.responses[0].partitions]
    assert all(isinstance(each, memoryview) for each in found)
    return found  # type: ignore[return-value]  # asserted above


@pytest.mark.rule("BP-D3")
@pytest.mark.parametrize("size", [10, 20_000, 2 * LENT_MEMORY_BYTES_MIN])
def test_records_are_slices_of_one_frame_and_stay_what_they_are(size: int) -> None:
    async def life(scene: Scene) -> None:
        letters = iter(b"abcdefgh")

        def fetch(line: Line, header: RequestHeader, request: Request) -> None:
            line.send(framed(header, _fetched(bytes([next(letters)]) * size, b"2")))

        scene.peer.reply = fetch
        kept = [await _records(scene) for _ in range(4)]
        for letter, (first, second) in zip(b"abcd", kept, strict=True):
            assert first == bytes([letter]) * size
            assert second == b"2"
            assert first.obj is second.obj
            first[0] = 0  # the log stamps its own fields into them

    play(life)


# ---- one connection by itself


async def test_correlation_ids_begin_again_before_they_are_no_numbers_any_more() -> None:
    transport, settled = FakeTransport(), 0

    def settle() -> None:
        nonlocal settled
        settled += 1

    connection = PeerConnection(
        name="peer:1", client_id="me", limits=PeerLimits(), on_settled=settle
    )
    connection.connection_made(transport)  # type: ignore[arg-type]  # it stands for one
    connection._correlation_id = 2**31 - 2
    asked = [connection.send(HeartbeatRequest(), version=4, deadline=1e9) for _ in range(3)]
    sent = _correlation_ids(transport.written)
    assert sent == [2**31 - 2, 2**31 - 1, 0]
    for number in sent:
        response = echo(RequestHeader(12, 4, number, None, 0), HeartbeatRequest())
        connection.get_buffer(-1)[: len(response)] = response
        connection.buffer_updated(len(response))
    await asyncio.gather(*asked)
    assert settled == 3
    connection.end("it is over")
    connection.connection_lost(None)
    assert settled == 3


def _correlation_ids(stream: bytes) -> list[int]:
    found = []
    while stream:
        size, _, number = struct.unpack_from(">iii", stream)
        found.append(number)
        stream = stream[4 + size :]
    return found
