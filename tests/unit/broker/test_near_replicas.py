"""Which replica a consumer is sent to."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from everlog.model.ids import NodeId
from service.broker.near_replicas import NearReplicas
from service.model.cluster import EMPTY_IMAGE, Broker, ClusterImage, Endpoint
from service.partition.partition import Partition
from tests.unit.broker.handlers.test_fetch import answered, filled, only
from tests.unit.broker.handlers.test_replica_fetch import FOLLOWER, VERSION, asking, led, told
from tests.unit.broker.handlers.town import Town, context, town

LISTENER = "PLAINTEXT"
ME = NodeId(1)

pytestmark = pytest.mark.rule("KIP-392")


def image(racks: Mapping[int, str | None], *, listener: str = LISTENER) -> ClusterImage:
    endpoint = Endpoint(listener=listener, host="h", port=1, security="PLAINTEXT")
    brokers = {
        NodeId(each): Broker(
            id=NodeId(each),
            epoch=1,
            endpoints=(endpoint,),
            directory_id=b"",
            boot_id="",
            rack=rack,
        )
        for each, rack in racks.items()
    }
    return replace(EMPTY_IMAGE, brokers=brokers)


async def caught_up(place: Town) -> Partition:
    """Lead a partition whose follower has all of it."""
    partition = await led(place)
    await filled(partition, 3)
    await told(place, asking(partition, 3, synced_end=3, local_start=0))
    assert partition.holding(0) == [FOLLOWER]
    return partition


def chosen(partition: Partition, seen: ClusterImage, rack: str = "a") -> NodeId | None:
    return NearReplicas(me=ME, images=lambda: seen).of(rack, LISTENER)(partition, 0)


async def test_it_is_one_in_the_rack_that_the_consumer_names() -> None:
    async with town() as place:
        partition = await caught_up(place)
        assert chosen(partition, image({1: "b", 2: "a"})) == FOLLOWER
        assert chosen(partition, image({1: "b", 2: "b"})) is None
        assert chosen(partition, image({1: None, 2: None})) is None


async def test_it_is_the_leader_if_that_is_in_the_rack() -> None:
    async with town() as place:
        partition = await caught_up(place)
        assert chosen(partition, image({1: "a", 2: "a"})) is None


async def test_it_is_nobody_whom_the_consumer_cannot_reach() -> None:
    async with town() as place:
        partition = await caught_up(place)
        assert chosen(partition, image({1: "b"})) is None, "it is not registered"
        elsewhere = image({1: "b", 2: "a"}, listener="INTERNAL")
        assert chosen(partition, elsewhere) is None


async def test_a_consumer_hears_of_it_at_once_and_gets_no_records() -> None:
    async with town() as place:
        partition = await caught_up(place)
        near = NearReplicas(me=ME, images=lambda: image({1: "b", 2: "a"}))
        request = asking(partition, 0)
        request.replica_state = None
        request.min_bytes, request.max_wait_ms = 1, 60_000
        for rack, sent_to in (("a", FOLLOWER), ("b", -1), ("", -1)):
            request.rack_id = rack
            handler = place.fetch_handler(near=near)
            result = only(await answered(handler(context(VERSION), request)))
            assert result.preferred_read_replica == sent_to
            assert bool(result.records) == (sent_to < 0)
