"""A copy has all that the source has, names nothing that it lacks, and never holds damage."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from everlog.format.cluster_marker import ClusterMarker, encode_marker
from everlog.format.deletion_mark import DeletionMark
from everlog.format.retention import Cut
from everlog.model.errors import EverlogError, RejectedError
from everlog.model.object_lock import ObjectLock
from everlog.model.offsets import Offset
from everlog.model.storage_class import StorageClass
from everlog.stores.body import BodyPart
from everlog.stores.errors import StoreUnavailableError
from everlog.stores.filesystem import FilesystemObjectStore
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import ObjectKey, object_key
from everlog.stores.object_store import CreatedObject, ObjectStore
from service.tiering.archive_copying import CopyScope
from service.tiering.partition_tier import PartitionTier, TierChange
from service.tiering.stats import TierStats
from service.tiering.sweeper import Sweeper
from service.tiering.topic_objects import TopicObjects
from service.tiering.verification import Verifier
from tests.contract.object_stores import FailingStore, s3_store
from tests.simulation.clock import SeededIds
from tests.unit.tiering.archives import REAL_PATH, grow, made_archive, names
from tests.unit.tiering.copies import (
    CUT,
    MARKER,
    RECORD,
    check_closed,
    copier,
    keys,
    problems,
)
from tests.unit.tiering.site import CLUSTER, TOPIC, HastyClock, Metadata
from tests.unit.tiering.test_partition_tier import HOUR_MS, PATH, claimed


async def test_a_copy_has_every_object_that_the_source_names(
    source: MemoryObjectStore, long_tier: PartitionTier, tmp_path: Path
) -> None:
    target = MemoryObjectStore(clock=HastyClock())
    done = await copier(source, target, tmp_path).round()
    assert problems(done) == []
    assert await keys(target) == await keys(source)
    for key in await keys(source):
        at = object_key(key)
        assert await target.read_all(at, size_max=1 << 20) == await source.read_all(
            at, size_max=1 << 20
        )
    assert done.meta_objects == 3
    assert done.counts.objects == len(await keys(source)) - 3 - 1, "but for meta/ and the hint"
    assert os.listdir(tmp_path) == [], "files are removed"


async def test_a_second_copy_brings_only_what_is_new(
    source: MemoryObjectStore, tier: PartitionTier, tmp_path: Path
) -> None:
    target = MemoryObjectStore(clock=HastyClock())
    archive = copier(source, target, tmp_path)
    await archive.round()
    assert (await archive.round()).counts.objects == 0
    await tier.commit(TierChange(uploaded=await grow(tier, source, 2)))
    done = await archive.round()
    assert done.counts.objects == 3, "two objects and a root"
    again = await copier(source, target, tmp_path).round()
    assert (again.counts.objects, again.counts.kept_objects) == (0, 14)


def failing_from(target: ObjectStore, *, writes: int) -> FailingStore:
    """Return a store that takes so many objects and is gone then."""

    def plan() -> tuple[Exception | None, Exception | None]:
        made = sum(failing.calls.count(each) for each in ("create", "overwrite"))
        is_write = failing.calls[-1] in {"create", "overwrite"}
        gone = StoreUnavailableError("create", "x", "gone")
        return (gone if is_write and made > writes else None), None

    failing = FailingStore(target, plan)
    return failing


async def test_wherever_a_copy_is_broken_off_it_names_nothing_that_it_lacks(
    source: MemoryObjectStore, metadata: Metadata, clock: HastyClock, tmp_path: Path
) -> None:
    tier = await claimed(metadata, source, clock)
    for _ in range(2):
        await tier.commit(TierChange(uploaded=await grow(tier, source, 2)))
    await tier.hint()
    whole = len(await keys(source))
    target = MemoryObjectStore(clock=HastyClock())
    sizes = set()
    for last in range(whole):
        target = MemoryObjectStore(clock=HastyClock())
        failing = failing_from(target, writes=last)
        with pytest.raises((EverlogError, ExceptionGroup)):
            await copier(source, failing, tmp_path).round()
        await check_closed(target)
        found = await keys(target)
        assert MARKER not in found, "without it nobody takes the copy for an archive"
        assert RECORD not in found or any(each.endswith(".root") for each in found)
        sizes.add(len(found))
        assert problems(await copier(source, target, tmp_path).round()) == []
        assert await keys(target) == await keys(source), "it goes on from there"
    assert sizes == set(range(whole))


async def test_what_is_retired_meanwhile_is_no_problem(
    source: MemoryObjectStore, tier: PartitionTier, clock: HastyClock, tmp_path: Path
) -> None:
    went_on = False

    class GoingOn(FailingStore):
        async def read_into_file(self, key: ObjectKey, start: int, length: int, path: str) -> int:
            nonlocal went_on
            if not went_on:
                went_on = True
                await tier.commit(TierChange(cut=Cut(start=Offset(50))))
                clock.now_ms += 2 * HOUR_MS
                await Sweeper(source, stats=TierStats()).empty_trash(tier, now_ms=clock.wall_ms())
            return await super().read_into_file(key, start, length, path)

    target = MemoryObjectStore(clock=HastyClock())
    done = await copier(GoingOn(source, lambda: (None, None)), target, tmp_path).round()
    assert problems(done) == []
    await check_closed(target)
    report = await Verifier(target, deep=False).partition(PATH)
    assert (report.offsets.start, report.problem_count) == (50, 0)


async def test_a_missing_object_is_told_and_the_copy_is_what_the_source_is(
    source: MemoryObjectStore, tier: PartitionTier, tmp_path: Path
) -> None:
    gone = names(source, ".seg")[7]
    body = source._objects[gone].body
    await source.delete([gone])
    target = MemoryObjectStore(clock=HastyClock())
    done = await copier(source, target, tmp_path).round()
    assert problems(done) == [gone]
    newest = await Verifier(target, deep=False).partition(PATH)
    assert newest.root == (await Verifier(source, deep=False).partition(PATH)).root
    await source.create(gone, body)
    assert problems(await copier(source, target, tmp_path).round()) == []
    assert gone in await keys(target), "an object that was put back is fetched, root or not"


async def test_damaged_bytes_are_never_stored(
    source: MemoryObjectStore, tier: PartitionTier, tmp_path: Path
) -> None:
    bad = names(source, ".seg")[7]
    body = bytearray(source._objects[bad].body)
    body[3] ^= 1
    await source.delete([bad])
    await source.create(bad, bytes(body))
    target = MemoryObjectStore(clock=HastyClock())
    done = await copier(source, target, tmp_path).round()
    assert problems(done) == [bad]
    assert bad not in await keys(target)


async def test_a_damaged_page_is_not_stored_either(
    source: MemoryObjectStore, long_tier: PartitionTier, tmp_path: Path
) -> None:
    (page,) = names(source, ".pg")
    body = source._objects[page].body
    await source.delete([page])
    await source.create(page, body[:-1] + b"?")
    target = MemoryObjectStore(clock=HastyClock())
    assert problems(await copier(source, target, tmp_path).round()) == [page]
    assert page not in await keys(target)


async def test_an_object_of_another_size_in_the_copy_is_told(
    source: MemoryObjectStore, tier: PartitionTier, tmp_path: Path
) -> None:
    target = MemoryObjectStore(clock=HastyClock())
    short = names(source, ".seg")[0]
    await target.create(short, b"short")
    done = await copier(source, target, tmp_path).round()
    assert problems(done) == [short]


async def test_a_copy_that_somebody_has_taken_over_is_left_alone(
    source: MemoryObjectStore, tier: PartitionTier, tmp_path: Path
) -> None:
    target = MemoryObjectStore(clock=HastyClock())
    await copier(source, target, tmp_path).round()
    owner = object_key(f"meta/{CLUSTER}/owner-000001-{'a' * 26}.json")
    await target.create(owner, b"{}")
    with pytest.raises(RejectedError, match="taken the target over"):
        await copier(source, target, tmp_path).round()
    await source.create(owner, b"{}")
    await copier(source, target, tmp_path).round()


async def test_another_archive_is_never_copied_into(
    source: MemoryObjectStore, tier: PartitionTier, tmp_path: Path
) -> None:
    target = MemoryObjectStore(clock=HastyClock())
    other = encode_marker(ClusterMarker(cluster_id=CLUSTER, store_id="second"))
    await target.create(MARKER, other)
    with pytest.raises(RejectedError, match="another archive"):
        await copier(source, target, tmp_path).round()
    assert await keys(target) == {MARKER}


async def test_commits_that_the_source_does_not_know_keep_a_partition_from_being_copied(
    source: MemoryObjectStore, tier: PartitionTier, tmp_path: Path
) -> None:
    target = MemoryObjectStore(clock=HastyClock())
    await copier(source, target, tmp_path).round()
    newest = names(source, ".root")[-1]
    await source.delete([newest])
    done = await copier(source, target, tmp_path).round()
    assert problems(done) == [newest]
    assert "was copied" in done.partitions[0].problems[0].reason


async def test_a_copy_of_one_topic_has_nothing_that_names_others(
    source: MemoryObjectStore, tier: PartitionTier, tmp_path: Path
) -> None:
    target = MemoryObjectStore(clock=HastyClock())
    await copier(source, target, tmp_path, scope=CopyScope(topic_id=TOPIC)).round()
    assert await keys(target) == await keys(source) - {CUT}
    nobody = CopyScope(cluster_id="another")
    with pytest.raises(RejectedError, match="nothing of this"):
        await copier(source, target, tmp_path, scope=nobody).round()


async def test_a_record_that_names_a_deleted_topic_comes_after_the_mark(
    source: MemoryObjectStore, clock: HastyClock, tmp_path: Path
) -> None:
    topics = TopicObjects(source, cluster_id=CLUSTER, clock=clock, ids=SeededIds(3))
    mark = DeletionMark(topic_id=TOPIC, deleted_ms=0, goes_ms=None, version=None)
    await topics.mark_deleted(mark, has_tier=True, owner=lambda: 0)
    target = MemoryObjectStore(clock=HastyClock())
    order: list[str] = []

    class Noting(FailingStore):
        async def create_from_file(
            self,
            key: ObjectKey,
            parts: Sequence[BodyPart],
            *,
            crc32c: int,
            storage_class: StorageClass = StorageClass.STANDARD,
            lock: ObjectLock | None = None,
        ) -> CreatedObject:
            order.append(key)
            return await super().create_from_file(
                key, parts, crc32c=crc32c, storage_class=storage_class, lock=lock
            )

    await copier(source, Noting(target, lambda: (None, None)), tmp_path).round()
    assert [each.split("/")[-1].split("-")[0] for each in order] == [
        "deleted",
        "000000",
        "of",
        "cluster.json",
    ]


async def test_an_archive_goes_to_a_directory_and_back_to_a_bucket(
    tmp_path: Path, moto: str
) -> None:
    archive = await made_archive(tmp_path / "data")
    files = FilesystemObjectStore(str(tmp_path / "copy"))
    bucket = s3_store(moto, prefix="copied/from/files/")
    (tmp_path / "spool").mkdir()
    for source, target in ((archive, files), (files, bucket)):
        assert problems(await copier(source, target, tmp_path / "spool").round()) == []
        report = await Verifier(target, deep=True).partition(REAL_PATH)
        assert (report.problem_count, report.objects) == (0, len(names(archive, ".seg")))
    await files.close()
    await bucket.close()


async def test_a_damaged_file_is_not_stored(tmp_path: Path) -> None:
    archive = await made_archive(tmp_path / "data")
    files = FilesystemObjectStore(str(tmp_path / "copy"))
    (tmp_path / "spool").mkdir()
    await copier(archive, files, tmp_path / "spool").round()
    bad, gone, *_ = names(archive, ".seg")
    path = tmp_path / "copy" / bad
    path.write_bytes(b"?" + path.read_bytes()[1:])
    (tmp_path / "copy" / gone).unlink()
    target = MemoryObjectStore(clock=HastyClock())
    done = await copier(files, target, tmp_path / "spool").round()
    assert sorted(problems(done)) == sorted([bad, gone])
    assert not {bad, gone} & await keys(target)
    await files.close()
