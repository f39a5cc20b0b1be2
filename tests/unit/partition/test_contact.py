"""A leader that hears nothing of the cluster, and what it still answers for alone."""

import pytest

from everlog.model.offsets import Offset
from service.app.offsets_topic import PartitionOffsetsLog
from service.groups.partitioning import OFFSETS_TOPIC
from service.partition.errors import NotLeaderError
from service.partition.partition import Partition
from service.protocol.error_codes import ErrorCode
from tests.unit.broker.handlers.test_produce import codes
from tests.unit.broker.handlers.test_replica_fetch import FOLLOWER, led
from tests.unit.broker.handlers.town import (
    SESSION_SECONDS,
    Town,
    answered,
    context,
    to_produce,
    town,
)
from tests.unit.partition.ground import batch

pytestmark = pytest.mark.rule("REL-I8")

VERSION = 9


def fetch(partition: Partition) -> None:
    """Have the follower say that it has everything."""
    end = partition.log_end
    partition.fetched(FOLLOWER, durable_end=end, local_start=Offset(0), broker_epoch=7)


async def produced(place: Town, *, acks: int) -> list[int]:
    request = to_produce("t", batch(), acks=acks)
    return codes(await answered(place.produce_handler()(context(VERSION), request)))


async def test_while_the_metadata_answers_a_leader_leads() -> None:
    async with town() as place:
        place.silent_seconds = SESSION_SECONDS
        assert place.contact.leads(await led(place))


async def test_in_silence_it_leads_on_as_long_as_its_followers_fetch() -> None:
    async with town() as place:
        partition = await led(place)
        place.silent_seconds = 10 * SESSION_SECONDS
        assert not place.contact.leads(partition), "nobody has fetched in this term"
        fetch(partition)
        assert place.contact.leads(partition)
        place.clock.advance(int(1000 * SESSION_SECONDS) + 1)
        with pytest.raises(NotLeaderError, match="may have another leader"):
            place.contact.check(partition)


async def test_cut_off_from_all_it_takes_nothing_that_only_it_would_have() -> None:
    async with town() as place:
        partition = await led(place)
        place.silent_seconds = SESSION_SECONDS + 1
        assert await produced(place, acks=1) == [ErrorCode.NOT_LEADER_OR_FOLLOWER]
        assert partition.log_end == 0
        fetch(partition)
        assert await produced(place, acks=1) == [ErrorCode.NONE]


async def test_cut_off_from_all_it_takes_what_all_in_sync_have_to_store() -> None:
    async with town() as place:
        partition = await led(place)
        place.silent_seconds = SESSION_SECONDS + 1
        place.produce_handler()(context(VERSION), to_produce("t", batch(), acks=-1))
        assert (partition.hot.next_offset, partition.high_watermark) == (1, 0)


async def test_cut_off_from_all_it_coordinates_no_groups() -> None:
    async with town() as place:
        await led(place, OFFSETS_TOPIC)
        log = PartitionOffsetsLog(
            partitions=place.table,
            images=place.stage.images,
            disk=place.gate,
            contact=place.contact,
            clock=place.clock,
        )
        assert log.leads(0) is not None
        place.silent_seconds = SESSION_SECONDS + 1
        assert log.leads(0) is None
