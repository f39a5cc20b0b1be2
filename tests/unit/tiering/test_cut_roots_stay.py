"""What a cut names is there for as long as somebody may go back to it."""

from collections.abc import AsyncIterator
from itertools import count

import pytest

from everlog.format.object_keys import Uid
from everlog.format.retention import Cut
from everlog.model.offsets import Offset
from everlog.stores.memory import MemoryObjectStore
from service.tiering.manifest_store import ManifestStore
from service.tiering.partition_names import PartitionNames, partitions_below
from service.tiering.partition_tier import PartitionTier, TierChange
from service.tiering.root_search import RootSearch
from service.tiering.stats import TierStats
from service.tiering.sweeper import Sweeper
from tests.unit.tiering.archives import grow
from tests.unit.tiering.site import HastyClock, Metadata, metadata_tree
from tests.unit.tiering.test_partition_tier import PARTITION, PATH, claimed

WINDOW_MS = 60_000
STEP_MS = 1_000
STEPS = 120


@pytest.fixture
async def metadata() -> AsyncIterator[Metadata]:
    async with metadata_tree() as metadata:
        await metadata.add(PARTITION)
        yield metadata


async def names_in(store: MemoryObjectStore) -> PartitionNames:
    (names,) = [each async for each in partitions_below(store, PATH.prefix, cluster_id="c")]
    return names


async def swept(tier: PartitionTier, sweeper: Sweeper, clock: HastyClock) -> int:
    return await sweeper.empty_trash(tier, now_ms=clock.wall_ms())


async def faults(store: MemoryObjectStore, root: Uid) -> list[str]:
    search = RootSearch(await names_in(store), store=store, manifests=ManifestStore(store))
    await search.pinned(root)
    return search.faults


@pytest.mark.rule("TIER-56")
@pytest.mark.parametrize("grace_ms", [WINDOW_MS, WINDOW_MS // 2])
async def test_the_root_of_a_cut_within_the_window_is_there_with_all_its_objects(
    metadata: Metadata, grace_ms: int
) -> None:
    clock = HastyClock()
    store = MemoryObjectStore(clock=clock)
    sweeper = Sweeper(store, stats=TierStats())
    tier = await claimed(metadata, store, clock, grace_ms=grace_ms)
    cuts: list[tuple[int, Uid]] = []
    lost = 0
    for step in count(1):
        clock.now_ms += STEP_MS
        gone = await swept(tier, sweeper, clock)
        # Retention takes objects away behind.
        start = Cut(start=Offset(max(0, tier.end - 300)))
        uploaded = await grow(tier, store, 1)
        await tier.commit(TierChange(uploaded=uploaded, cut=start, trash_gone=gone))
        root = tier.pointer.root
        assert root is not None
        if step % 3 == 0:
            cuts.append((clock.now_ms, root.uid))
        cuts = [each for each in cuts if each[0] >= clock.now_ms - WINDOW_MS]
        if step > STEPS:
            break
        if step % 20 == 0:
            lost += len([1 for _, uid in cuts if await faults(store, uid)])
    roots = len((await names_in(store)).roots)
    assert roots <= WINDOW_MS // STEP_MS + 2, "old roots do go"
    assert (lost > 0) == (grace_ms < WINDOW_MS)
