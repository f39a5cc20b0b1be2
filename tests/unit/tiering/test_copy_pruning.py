"""What of a copy may go, and what stays although the source has it no more."""

from pathlib import Path

from everlog.format.object_keys import SegmentKey, Stamp, Uid
from everlog.format.retention import Cut
from everlog.model.offsets import LeaderEpoch, Offset, OffsetRange
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import object_key
from service.tiering.copy_pruning import remove, surplus_of
from service.tiering.partition_tier import PartitionTier, TierChange
from service.tiering.stats import TierStats
from service.tiering.sweeper import Sweeper
from tests.unit.tiering.archives import names
from tests.unit.tiering.copies import (
    check_closed,
    copier,
    keys,
)
from tests.unit.tiering.site import HastyClock
from tests.unit.tiering.test_partition_tier import HOUR_MS, PATH


async def test_only_what_the_source_has_removed_and_names_no_more_is_pruned(
    source: MemoryObjectStore, tier: PartitionTier, clock: HastyClock, tmp_path: Path
) -> None:
    target = MemoryObjectStore(clock=clock)
    await copier(source, target, tmp_path).round()
    await tier.commit(TierChange(cut=Cut(start=Offset(50))))
    await copier(source, target, tmp_path).round()
    before = await keys(target)

    async def surplus(grace_ms: int = HOUR_MS) -> set[str]:
        now_ms = clock.wall_ms()
        found = await surplus_of(source, target, PATH, now_ms=now_ms, grace_ms=grace_ms)
        assert found.kept_because is None
        return {each.key for each in found.objects}

    assert await surplus() == set(), "the source keeps it in its trash"
    clock.now_ms += 2 * HOUR_MS
    await Sweeper(source, stats=TierStats()).empty_trash(tier, now_ms=clock.wall_ms())
    lost = names(source, ".seg")[-1]
    await source.delete([lost])
    gone = before - await keys(source) - {lost}
    assert any(each.endswith(".seg") for each in gone)
    assert await surplus() == gone, "but not what the source has lost"
    assert await surplus(grace_ms=24 * HOUR_MS) == set(), "nor what is young"
    found = await surplus_of(source, target, PATH, now_ms=clock.wall_ms(), grace_ms=HOUR_MS)
    await remove(target, found)
    assert await keys(target) == before - gone
    await check_closed(target)


async def test_what_the_source_still_has_or_retires_for_longer_stays(
    source: MemoryObjectStore, tier: PartitionTier, clock: HastyClock, tmp_path: Path
) -> None:
    target = MemoryObjectStore(clock=clock)
    orphan = SegmentKey(
        path=PATH,
        offsets=OffsetRange(Offset(0), Offset(10)),
        stamp=Stamp(LeaderEpoch(0), 0, 1),
        uid=Uid(b"o" * 16),
    )
    for store in (source, target):
        await store.create(object_key(orphan.text), b"never committed")
    await tier.commit(TierChange(cut=Cut(start=Offset(50))))
    retired = names(source, ".seg")[1]
    await copier(source, target, tmp_path).round()
    await source.delete([retired])
    now_ms = clock.wall_ms()
    found = await surplus_of(source, target, PATH, now_ms=now_ms, grace_ms=-1)
    assert (found.objects, found.kept_because) == ([], None)
    clock.now_ms += 2 * HOUR_MS
    await source.delete([object_key(orphan.text)])
    found = await surplus_of(source, target, PATH, now_ms=clock.wall_ms(), grace_ms=0)
    assert {each.key for each in found.objects} == {orphan.text, retired}


async def test_a_lost_source_does_not_take_its_copy_along(
    source: MemoryObjectStore, tier: PartitionTier, clock: HastyClock, tmp_path: Path
) -> None:
    target = MemoryObjectStore(clock=clock)
    await copier(source, target, tmp_path).round()
    await source.delete(names(source, ""))
    clock.now_ms += 100 * HOUR_MS
    found = await surplus_of(source, target, PATH, now_ms=clock.wall_ms(), grace_ms=0)
    assert found.objects == []
    assert found.kept_because is not None
    assert "no root" in found.kept_because
