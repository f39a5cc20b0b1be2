"""A follower's requests to its leader: what is at rest is not named (KIP-227)."""

from dataclasses import replace
from typing import Any, cast

import pytest

from everlog.model.offsets import Offset
from service.app.leader_channel import HASTY_WAIT_MS, FetchLimits, PeerChannel
from service.broker.handlers.fetch import FetchHandler
from service.net.peer_client import PeerClient
from service.partition.partition import Partition
from service.protocol.messages.fetch import FetchRequest, FetchResponse
from service.protocol.schema import Request, Response
from service.replication.fetching import FetchAsk
from tests.unit.broker.handlers.test_fetch import answered, filled
from tests.unit.broker.handlers.test_replica_fetch import FOLLOWER, TERM, led
from tests.unit.broker.handlers.town import Town, context, town

LIMITS = FetchLimits(
    bytes_max=1 << 20,
    partition_bytes_max=1 << 20,
    bytes_min=1,
    wait_ms=0,
    hasty_wait_ms=HASTY_WAIT_MS,
    timeout_seconds=10,
    hasty_timeout_seconds=3,
)
EPOCH = 7

pytestmark = pytest.mark.rule("KIP-227")


class Leader:
    """A `PeerClient` of a leader in this process; remembers what it was asked."""

    def __init__(self, place: Town) -> None:
        self._place = place
        self._handler = place.fetch_handler()
        self.asked: list[FetchRequest] = []
        self.patience = 0.0

    async def request(self, message: Request, *, version: int, timeout_seconds: float) -> Response:
        assert isinstance(message, FetchRequest)
        self.asked.append(message)
        self.patience = timeout_seconds
        response: Any = await answered(self._handler(context(version), message))
        assert isinstance(response, FetchResponse)
        return response

    def forget_sessions(self) -> None:
        self._handler: FetchHandler = self._place.fetch_handler()

    @property
    def named(self) -> int:
        """How many partitions the last request has named."""
        return sum(len(topic.partitions) for topic in self.asked[-1].topics)


def channel_to(leader: Leader) -> PeerChannel:
    client = cast("PeerClient", leader)
    return PeerChannel(client, me=FOLLOWER, broker_epoch=EPOCH, limits=LIMITS)


def ask(partition: Partition, offset: int, *, durable_end: int | None = None) -> FetchAsk:
    return FetchAsk(
        partition=partition.id,
        leader_epoch=TERM,
        offset=Offset(offset),
        last_epoch=None if offset == 0 else TERM,
        log_start=Offset(0),
        durable_end=Offset(offset if durable_end is None else durable_end),
        local_start=Offset(0),
    )


async def test_what_has_not_changed_is_not_named_again_and_counts_all_the_same() -> None:
    async with town() as place:
        partition, leader = await led(place), Leader(place)
        channel = channel_to(leader)
        await filled(partition, 1)
        (answer,) = await channel.fetch([ask(partition, 0)])
        assert answer.records
        assert leader.named == 1
        await channel.fetch([ask(partition, 1)])
        assert (leader.named, partition.high_watermark) == (1, 1)
        place.clock.advance(5_000)
        assert await channel.fetch([ask(partition, 1)]) == []
        assert leader.named == 0
        progress = partition.replicas.followers[FOLLOWER]
        assert progress.asked_at == progress.caught_up_at == place.clock.monotonic()


async def test_more_that_is_durable_is_told_also_if_nothing_else_is_new() -> None:
    async with town() as place:
        partition, leader = await led(place), Leader(place)
        channel = channel_to(leader)
        await filled(partition, 1)
        await channel.fetch([ask(partition, 1, durable_end=0)])
        assert partition.high_watermark == 0
        (answer,) = await channel.fetch([ask(partition, 1)])
        assert (leader.named, partition.high_watermark, answer.high_watermark) == (1, 1, 1)


async def test_what_is_not_followed_any_more_counts_no_more() -> None:
    async with town() as place:
        partition, leader = await led(place), Leader(place)
        other = await led(place, "u")
        channel = channel_to(leader)
        await channel.fetch([ask(partition, 0), ask(other, 0)])
        place.clock.advance(5_000)
        await channel.fetch([ask(other, 0)])
        assert partition.replicas.followers[FOLLOWER].asked_at < place.clock.monotonic()
        assert other.replicas.followers[FOLLOWER].asked_at == place.clock.monotonic()


async def test_a_session_that_the_leader_has_dropped_begins_anew_with_everything() -> None:
    async with town() as place:
        partition, leader = await led(place), Leader(place)
        channel = channel_to(leader)
        await channel.fetch([ask(partition, 0)])
        leader.forget_sessions()
        await filled(partition, 1)
        (answer,) = await channel.fetch([ask(partition, 0)])
        assert answer.records
        assert leader.named == 1
        await channel.fetch([ask(partition, 0)])
        assert leader.named == 0, "it has a session again"


async def test_a_hasty_request_waits_for_no_news() -> None:
    async with town() as place:
        partition, leader = await led(place), Leader(place)
        await channel_to(leader).fetch([ask(partition, 0)], is_hasty=True)
        assert (leader.asked[-1].max_wait_ms, leader.patience) == (HASTY_WAIT_MS, 3)


async def test_a_term_that_is_over_is_told_each_time() -> None:
    async with town() as place:
        partition, leader = await led(place), Leader(place)
        channel = channel_to(leader)
        stale = replace(ask(partition, 0), leader_epoch=type(TERM)(TERM - 1))
        for _ in range(2):
            (answer,) = await channel.fetch([stale])
            assert answer.fault is not None
