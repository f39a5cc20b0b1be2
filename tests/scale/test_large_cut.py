"""A cut of many partitions and groups costs little, and nobody waits for it."""

import asyncio
import gc
import os
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from everlog.format.cut_codec import decode_cut
from everlog.format.object_keys import Stamp, Uid
from everlog.format.pointer import Pointer, encode_pointer
from everlog.format.root import RootRef
from everlog.model.ids import PartitionId, TopicName
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.stores.object_key import object_key
from service.coordination.metadata_store import Create
from service.coordination.znodes import tier_path, tiers_path
from service.model.cluster import TopicImage
from service.model.committed_offsets import CommittedOffsets
from tests.simulation.clock import SeededIds
from tests.unit.groups.fakes import FakeOffsetsLog
from tests.unit.groups.hall import open_hall
from tests.unit.partition.test_cluster_cuts import CLUSTER, Office, state, topic_id
from tests.unit.tiering.site import metadata_tree

PARTITIONS = int(os.environ.get("EVERLOG_TEST_PARTITIONS", "1000"))
OFFSETS_PER_GROUP = 10
TOPICS = 10
CPU_SECONDS_MAX_PER_THOUSAND = 0.5
STALL_SECONDS_MAX = 0.05
IDS = SeededIds(1)


def pointer(number: int) -> bytes:
    stamp = Stamp(LeaderEpoch(7), 9, number + 1)
    return encode_pointer(
        Pointer(
            stamp=stamp,
            root=RootRef(stamp=stamp, uid=Uid(IDS.uuid()), sha256=IDS.uuid() * 2),
            tiered_start=Offset(0),
            tiered_end=Offset(number * 1000),
            tiered_end_epoch=LeaderEpoch(7),
            bytes=number << 20,
            max_timestamp=1,
        )
    )


async def fill(office: Office, partitions: int) -> None:
    """Describe a cluster whose partitions all have a tier."""
    per_topic = partitions // TOPICS
    states = tuple(state(7) for _ in range(per_topic))
    for number in range(TOPICS):
        name = TopicName(f"topic-{number}")
        topic = TopicImage(
            name=name, topic_id=topic_id(name), config={}, partitions=states, version=0
        )
        office.image = replace(
            office.image,
            topics={**office.image.topics, name: topic},
            names={**office.image.names, topic.topic_id: name},
        )
        tree = office.metadata.store
        await tree.create(tiers_path(topic.topic_id))
        paths = [tier_path(PartitionId(topic.topic_id, index)) for index in range(per_topic)]
        await tree.multi([Create(path, pointer(index)) for index, path in enumerate(paths)])


class Pulse:
    """Finds out how long others have to wait for the loop, in seconds of CPU of this thread."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def run(self) -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(0)
            self.longest = max(self.longest, time.thread_time() - before)


@pytest.mark.timeout(300)
async def test_a_large_cut_takes_little_time_and_lets_others_go_on() -> None:
    count = PARTITIONS
    log = FakeOffsetsLog(50)
    async with metadata_tree() as metadata, open_hall(log) as hall:
        office = Office(metadata)
        await fill(office, count)
        for number in range(count):
            places = [
                (f"topic-{n % TOPICS}", number % (count // TOPICS), n + number)
                for n in range(OFFSETS_PER_GROUP)
            ]
            await hall.commit(*places, group=f"group-{number}")

        async def offsets() -> Sequence[CommittedOffsets]:
            return [await hall.coordinator.hand_over()]

        office.offsets = offsets
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)  # as in a broker
        pulse = Pulse()
        beating = asyncio.ensure_future(pulse.run())
        before = time.process_time()
        await office.cuts.make()
        used = time.process_time() - before
        beating.cancel()
        gc.set_threshold(700, 10, 10)
        gc.unfreeze()
        (key,) = await office.objects.all()
        content = await office.memory.read_all(object_key(key.text), size_max=1 << 30)
        cut = decode_cut(content, cluster_id=CLUSTER)
    print(
        f"\n{count} partitions, {cut.offsets} offsets of {len(cut.groups)} groups: {used:.2f} s of "
        f"CPU, the loop was held up for {pulse.longest * 1000:.1f} ms, {len(content):,} bytes"
    )
    assert (cut.partitions, len(cut.groups)) == (count, count)
    assert cut.offsets == count * OFFSETS_PER_GROUP
    assert used < CPU_SECONDS_MAX_PER_THOUSAND * count / 1000
    assert pulse.longest < STALL_SECONDS_MAX
