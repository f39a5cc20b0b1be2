"""Cuts hold all that the archive's records do not, and come when something has changed."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from everlog.format.cut import Cut, CutOffset, CutRoot
from everlog.format.object_keys import PartitionPath
from everlog.format.pointer import encode_pointer, pointer_to
from everlog.model.errors import RetriableError
from everlog.model.ids import NodeId, PartitionId, TopicId, TopicName
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.stores.errors import StoreUnavailableError
from everlog.stores.memory import MemoryObjectStore
from service.coordination.znodes import tier_path
from service.model.cluster import EMPTY_IMAGE, ClusterImage, PartitionState, TopicImage
from service.model.committed_offsets import CommittedOffsets
from service.model.topic_values import DEFAULT_VALUES
from service.partition.cluster_cuts import ClusterCuts
from service.partition.cut_making import CutMaker, CutSources
from service.tiering.cut_objects import CutObjects
from tests.contract.object_stores import FailingStore
from tests.simulation.clock import SeededIds
from tests.unit.tiering.archive_maker import ArchiveMaker
from tests.unit.tiering.site import HastyClock, Metadata, metadata_tree

CLUSTER = "c"
OFFSETS = TopicName("__consumer_offsets")
COMPACTED = {"cleanup.policy": "compact"}
ROW = CutOffset(0, Offset(5), LeaderEpoch(1), "", None)


def topic_id(name: str) -> TopicId:
    return TopicId(name.encode()[-16:].ljust(16, b"."))


def state(epoch: int) -> PartitionState:
    return PartitionState(
        replicas=(NodeId(1),),
        leader=NodeId(1),
        leader_epoch=LeaderEpoch(epoch),
        leader_broker_epoch=1,
        isr=(NodeId(1),),
        controller_epoch=1,
        version=1,
    )


class Office:
    """A controller with a store, and a cluster that a test describes."""

    def __init__(self, metadata: Metadata) -> None:
        self.metadata = metadata
        self.clock = HastyClock()
        self.memory = MemoryObjectStore(clock=self.clock)
        self.is_away = False
        self.store = FailingStore(self.memory, self._plan)
        self.image: ClusterImage = replace(EMPTY_IMAGE, controller_id=NodeId(1))
        self.parts: Sequence[CommittedOffsets] | Exception = []
        self.offsets = self._offsets
        self.hangs: asyncio.Event | None = None
        self.owner: int | None = 4
        self.is_controller = True
        self.objects = CutObjects(self.store, cluster_id=CLUSTER, ids=SeededIds(1))
        self.cuts = self.new_broker()

    def new_broker(self) -> ClusterCuts:
        """Return what makes cuts after a start."""
        sources = CutSources(
            metadata=self.metadata.store,
            image=lambda: self.image,
            defaults=lambda: DEFAULT_VALUES,
            offsets=self._asked,
            offsets_topic=OFFSETS,
        )
        return ClusterCuts(
            self.objects,
            CutMaker(sources, cluster_id=CLUSTER, clock=self.clock),
            owner=lambda: self.owner,
            is_controller=lambda: self.is_controller,
            interval_ms=10,
            window_ms=1000,
            clock=self.clock,
        )

    def _plan(self) -> tuple[Exception | None, Exception | None]:
        return StoreUnavailableError("call", "", "away") if self.is_away else None, None

    async def _asked(self) -> Sequence[CommittedOffsets]:
        return await self.offsets()

    async def _offsets(self) -> Sequence[CommittedOffsets]:
        if self.hangs is not None:
            await self.hangs.wait()
        if isinstance(self.parts, Exception):
            raise self.parts
        return self.parts

    async def add_topic(
        self, name: str, *, config: Mapping[str, str] | None = None, epochs: Sequence[int] = (1,)
    ) -> None:
        topic = TopicImage(
            name=TopicName(name),
            topic_id=topic_id(name),
            config=config or {},
            partitions=tuple(map(state, epochs)),
            version=0,
            extra={"of the future": 1},
        )
        for number in range(len(epochs)):
            await self.metadata.add(PartitionId(topic.topic_id, number))
        topics = {**self.image.topics, topic.name: topic}
        names = {**self.image.names, topic.topic_id: topic.name}
        self.image = replace(self.image, topics=topics, names=names)

    async def archive(self, name: str, number: int = 0) -> CutRoot:
        """Archive something of a partition; return what a cut has to say of it."""
        path = PartitionPath(cluster_id=CLUSTER, topic_id=topic_id(name), partition=number)
        maker = ArchiveMaker(self.memory, path)
        await maker.add(2)
        root, ref = maker.root, maker._ref
        assert root is not None
        assert ref is not None
        await self.point(name, number, encode_pointer(pointer_to(root, ref)))
        key = ref.key(path).text.rpartition("/")[2].removesuffix(".root")
        return CutRoot(number, key, Offset(20))

    async def point(self, name: str, number: int, payload: bytes) -> None:
        path = tier_path(PartitionId(topic_id(name), number))
        _, stat = await self.metadata.store.get(path)
        await self.metadata.store.set(path, payload, version=stat.version)

    def hand_in(self, *offsets: tuple[str, str], partitions: Sequence[int] = (0,)) -> None:
        groups: dict[str, dict[TopicName, list[CutOffset]]] = {}
        for group, topic in offsets:
            groups.setdefault(group, {})[TopicName(topic)] = [ROW]
        self.parts = [CommittedOffsets(partitions=frozenset(partitions), groups=groups)]

    async def newest(self) -> Cut:
        return await self.objects.read((await self.objects.all())[-1])

    async def count(self) -> int:
        return len(await self.objects.all())


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    async with metadata_tree() as metadata:
        yield Office(metadata)


async def test_a_cut_has_roots_offsets_settings_and_topics(office: Office) -> None:
    await office.add_topic("orders", epochs=(3, 7, 2))
    await office.add_topic("cache", config=COMPACTED)
    await office.add_topic(OFFSETS, config=COMPACTED)
    roots = [await office.archive("orders", number) for number in (0, 2)]
    office.hand_in(("readers", "orders"), ("readers", "gone"), ("others", "gone"))
    settings = {None: {"log.retention.ms": "1"}, NodeId(3): {}}
    office.image = replace(office.image, broker_configs=settings)
    await office.cuts.make()
    cut = await office.newest()
    assert (cut.cluster_id, cut.owner, cut.created_ms) == (CLUSTER, 4, office.clock.now_ms)
    assert cut.settings == {None: {"log.retention.ms": "1"}}
    # A topic that is gone has no offsets, and nobody a group without any.
    assert cut.groups == {"readers": {topic_id("orders"): [ROW]}}
    orders, cache, offsets = cut.topics
    assert (orders.partitions, orders.epoch, orders.is_tiered) == (3, 7, True)
    assert orders.roots == roots
    assert orders.extra == {"of the future": 1}
    assert (cache.name, cache.config, cache.is_tiered) == ("cache", COMPACTED, False)
    assert (offsets.name, offsets.is_tiered) == (OFFSETS, False)


async def test_a_topic_that_was_ever_tiered_counts_as_tiered(office: Office) -> None:
    await office.add_topic("a", config={"remote.storage.enable": "false"})
    await office.cuts.make()
    assert await office.count() == 0  # a cluster without tiered topics writes no cuts
    await office.archive("a")
    await office.cuts.make()
    assert (await office.newest()).topics[0].is_tiered


async def test_a_pointer_that_is_damaged_keeps_no_other_partition_out(office: Office) -> None:
    await office.add_topic("a", epochs=(1, 1))
    await office.point("a", 0, b"bits")
    root = await office.archive("a", 1)
    await office.cuts.make()
    assert (await office.newest()).topics[0].roots == [root]


async def test_a_cut_is_written_only_if_something_has_changed(office: Office) -> None:
    await office.add_topic("a")
    for expected in (1, 1, 1):
        office.clock.now_ms += 1
        await office.cuts.make()
        assert await office.count() == expected
    office.hand_in(("g", "a"))
    await office.cuts.make()
    assert await office.count() == 2
    await office.archive("a")
    await office.cuts.make()
    assert await office.count() == 3
    office.owner = 5
    await office.cuts.make()
    assert await office.count() == 4


async def test_a_cut_is_newer_than_the_last_one_even_if_the_clock_was_set_back(
    office: Office,
) -> None:
    await office.add_topic("a")
    await office.cuts.make()
    office.clock.now_ms -= 1000
    for group in ("one", "two"):
        office.hand_in((group, "a"))
        await office.new_broker().make()
        assert (await office.newest()).groups.keys() == {group}


async def test_whoever_is_not_the_controller_or_does_not_know_the_store_makes_none(
    office: Office,
) -> None:
    await office.add_topic("a")
    office.is_controller = False
    await office.cuts.make()
    office.is_controller, office.owner = True, None
    await office.cuts.make()
    assert office.store.calls == []


async def test_no_cut_is_made_while_some_groups_are_not_known(office: Office) -> None:
    await office.add_topic("a")
    await office.add_topic(OFFSETS, config=COMPACTED, epochs=(1, 1, 1))
    office.hand_in(("g", "a"), partitions=(0, 2))
    with capture_logs() as logs:
        await office.cuts.make()
        office.parts = RetriableError("loading")
        await office.cuts.make()
        await office.cuts.make()
    assert await office.count() == 0
    reasons = [each["reason"] for each in logs if each["event"] == "cut_not_made"]
    assert reasons == [f"{OFFSETS}-1 is not loaded (1 of 3 partitions are not)", "loading"]
    # With several brokers each hands in its own.
    office.parts = [
        CommittedOffsets(partitions=frozenset({0, 2}), groups={"g": {TopicName("a"): [ROW]}}),
        CommittedOffsets(partitions=frozenset({1}), groups={"h": {TopicName("a"): [ROW]}}),
    ]
    await office.cuts.make()
    assert (await office.newest()).groups.keys() == {"g", "h"}


async def test_a_store_that_is_away_is_told_once_and_gets_its_cut_when_it_is_back(
    office: Office,
) -> None:
    await office.add_topic("a")
    office.is_away = True
    with capture_logs() as logs:
        await office.cuts.make()
        await office.cuts.make()
    assert [each["event"] for each in logs] == ["cut_not_made"]
    office.is_away = False
    await office.cuts.make()
    assert await office.count() == 1
    with capture_logs() as logs:
        office.is_away = True
        office.hand_in(("g", "a"))
        await office.cuts.make()
    assert [each["event"] for each in logs] == ["cut_not_made"]


async def test_cuts_that_nobody_can_go_back_to_any_more_are_deleted(office: Office) -> None:
    await office.add_topic("a")
    for number in range(5):
        office.clock.now_ms += 600
        office.hand_in((f"group-{number}", "a"))
        await office.cuts.make()
    now_ms = office.clock.now_ms
    times = [each.created_ms - now_ms for each in await office.objects.all()]
    assert times == [-1200, -600, 0]


async def test_cuts_are_made_again_and_again_while_it_runs_and_at_the_end(office: Office) -> None:
    await office.add_topic("a")
    async with asyncio.TaskGroup() as tasks, asyncio.timeout(30):
        running = tasks.create_task(office.cuts.run())
        for expected in (1, 2):
            office.hand_in((f"group-{expected}", "a"))
            while await office.count() < expected:
                await asyncio.sleep(0)
        running.cancel()
    office.hand_in(("group-3", "a"))
    await office.cuts.make_last()
    assert (await office.newest()).groups.keys() == {"group-3"}


async def test_a_stop_does_not_wait_long_for_a_store_that_hangs(office: Office) -> None:
    await office.add_topic("a")
    office.hangs = asyncio.Event()
    with capture_logs() as logs:
        async with asyncio.timeout(30):
            await office.cuts.make_last(seconds_max=0.01)
    assert [each["reason"] for each in logs] == ["the store did not take it within 0.01 seconds"]
    assert await office.count() == 0
