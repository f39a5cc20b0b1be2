"""What an archive names is there and sound, or a problem says which object is not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from everlog.format.object_keys import LatestKey, RootKey, SegmentKey, Stamp, Uid, parse_key
from everlog.format.pointer import decode_pointer, encode_pointer
from everlog.format.retention import Cut
from everlog.model.offsets import LeaderEpoch, Offset, OffsetRange
from everlog.stores.errors import StoreUnavailableError
from everlog.stores.filesystem import FilesystemObjectStore
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import ObjectKey, object_key
from everlog.stores.object_store import ObjectInfo, ObjectStore
from service.tiering.object_verification import Fault
from service.tiering.partition_tier import PartitionTier, TierChange
from service.tiering.stats import TierStats
from service.tiering.sweeper import Sweeper
from service.tiering.verification import PartitionReport, Verifier
from tests.contract.object_stores import FailingStore, s3_store
from tests.unit.tiering.archives import REAL_PATH, grow, made_archive, names
from tests.unit.tiering.site import HastyClock, Metadata, metadata_tree
from tests.unit.tiering.test_partition_tier import HOUR_MS, PARTITION, PATH, claimed


@pytest.fixture
async def archive(tmp_path: Path) -> MemoryObjectStore:
    return await made_archive(tmp_path / "data")


async def verified(store: ObjectStore, *, deep: bool = False) -> PartitionReport:
    return await Verifier(store, deep=deep).partition(REAL_PATH)


def faults(report: PartitionReport) -> list[tuple[str, Fault]]:
    assert report.problem_count == len(report.problems)
    return [(each.key.text, each.fault) for each in report.problems]


def flip(path: Path, at: int) -> None:
    body = bytearray(path.read_bytes())
    body[at] ^= 64
    path.write_bytes(body)


async def replaced(store: MemoryObjectStore, key: ObjectKey, body: bytes) -> None:
    await store.delete([key])
    await store.create(key, body)


@pytest.mark.parametrize("deep", [False, True])
async def test_a_sound_archive_has_no_problem(archive: MemoryObjectStore, *, deep: bool) -> None:
    await archive.create(object_key(f"{REAL_PATH.prefix}seg/notes.txt"), b"of somebody else")
    report = await verified(archive, deep=deep)
    assert faults(report) == []
    segments = names(archive, ".seg")
    assert report.objects == report.named.entries == len(segments) >= 4
    assert report.named.bytes == sum(len(archive._objects[key].body) for key in segments)
    assert report.offsets.start == 0
    assert report.named.records == report.offsets.end


async def test_a_missing_object_is_named_with_the_offsets_that_it_held(
    archive: MemoryObjectStore,
) -> None:
    gone = names(archive, ".seg")[1]
    await archive.delete([gone])
    report = await verified(archive)
    assert faults(report) == [(gone, Fault.MISSING)]
    first, end = (int(each) for each in gone.partition("seg/")[2].split("-")[:2])
    assert report.problems[0].offsets == OffsetRange(Offset(first), Offset(end))


async def test_an_object_of_another_size_or_checksum_is_damaged(archive: MemoryObjectStore) -> None:
    short, other, *_ = names(archive, ".seg")
    await replaced(archive, short, archive._objects[short].body[:-1])
    body = archive._objects[other].body
    await replaced(archive, other, bytes([body[0] ^ 1]) + body[1:])
    report = await verified(archive)
    assert sorted(faults(report)) == [(short, Fault.DAMAGED), (other, Fault.DAMAGED)]
    reasons = sorted(each.reason for each in report.problems)
    assert "bytes instead of" in reasons[0]
    assert "CRC-32C" in reasons[1]


@pytest.mark.rule("TIER-25")
@pytest.mark.parametrize("part", ["batches", "index", "tail"])
async def test_where_no_checksum_is_kept_only_reading_finds_damage(
    archive: MemoryObjectStore, tmp_path: Path, part: str
) -> None:
    files = FilesystemObjectStore(str(tmp_path / "copy"))
    for key, stored in archive._objects.items():
        await files.create(key, stored.body)
    bad = names(archive, ".seg")[2]
    flip(Path(str(files.local_path(bad))), {"batches": 5000, "index": -300, "tail": -10}[part])
    assert faults(await verified(files)) == []
    assert faults(await verified(files, deep=True)) == [(bad, Fault.DAMAGED)]
    await files.close()


async def test_another_sound_object_under_the_name_is_found(archive: MemoryObjectStore) -> None:
    """Of the same size, and with checksums that are right in themselves."""
    first, second, *_ = names(archive, ".seg")
    body = archive._objects[second].body
    assert len(body) == len(archive._objects[first].body)
    await replaced(archive, first, body)
    assert faults(await verified(archive, deep=True)) == [(first, Fault.DAMAGED)]


@pytest.mark.rule("TIER-6")
async def test_a_store_that_does_not_answer_is_no_verdict(archive: MemoryObjectStore) -> None:
    def fails() -> tuple[Exception | None, Exception | None]:
        is_down = store.calls.count("head") == 2
        return (StoreUnavailableError("head", "x", "down") if is_down else None), None

    store = FailingStore(archive, fails)
    with pytest.raises(ExceptionGroup) as caught:
        await verified(store)
    assert caught.group_contains(StoreUnavailableError)


async def test_a_damaged_newest_root_is_a_problem_and_the_one_before_is_gone_by(
    archive: MemoryObjectStore,
) -> None:
    *_, before, newest = (key for key in names(archive, "/root/") if key.endswith(".root"))
    await replaced(archive, newest, b"nonsense")
    report = await verified(archive)
    assert faults(report) == [(newest, Fault.MANIFEST)]
    assert report.root is not None
    assert report.root.text == before
    assert report.objects == report.named.entries < len(names(archive, ".seg"))


async def test_a_hint_that_is_newer_than_all_roots_tells_of_one_that_is_gone(
    archive: MemoryObjectStore,
) -> None:
    newest = [key for key in names(archive, "/root/") if key.endswith(".root")][-1]
    await archive.delete([newest])
    assert faults(await verified(archive)) == [(newest, Fault.MANIFEST)]


async def test_objects_without_any_root_are_a_problem_once_there_was_a_commit(
    archive: MemoryObjectStore,
) -> None:
    *_, newest = roots = [key for key in names(archive, "/root/") if key.endswith(".root")]
    await archive.delete(roots)
    report = await verified(archive)
    assert (newest, Fault.MANIFEST) in faults(report), "the hint names it"
    await archive.delete(names(archive, "LATEST"))
    report = await verified(archive)
    assert [each.fault for each in report.problems] == [Fault.MANIFEST]
    assert "there is no root" in report.problems[0].reason
    first, *others = names(archive, ".seg")
    await archive.delete(others)
    key = parse_key(first)
    assert isinstance(key, SegmentKey)
    assert key.stamp.ver == 1
    assert faults(await verified(archive)) == []


async def test_the_same_holds_in_a_bucket(archive: MemoryObjectStore, moto: str) -> None:
    store = s3_store(moto, prefix="verified/below/here/")
    for key, stored in archive._objects.items():
        await store.create(key, stored.body)
    assert faults(await verified(store, deep=True)) == []
    gone, bad, *_ = names(archive, ".seg")
    await store.delete([gone, bad])
    await store.create(bad, archive._objects[bad].body[:-3] + b"abc")
    report = await verified(store)
    assert sorted(faults(report)) == [(gone, Fault.MISSING), (bad, Fault.DAMAGED)]
    await store.close()


# ---- a long manifest, and one that moves on


@pytest.fixture
async def metadata() -> AsyncIterator[Metadata]:
    async with metadata_tree() as metadata:
        await metadata.add(PARTITION)
        yield metadata


class Hooked(FailingStore):
    """Runs something before the first object is asked for; all others wait for that."""

    before_head: Callable[[], Awaitable[None]] | None = None
    hooking: asyncio.Lock

    async def head(self, key: ObjectKey) -> ObjectInfo:
        async with self.hooking:
            hook, self.before_head = self.before_head, None
            if hook is not None:
                await hook()
        return await super().head(key)


@pytest.fixture
def clock() -> HastyClock:
    return HastyClock()


@pytest.fixture
def store(clock: HastyClock) -> Hooked:
    hooked = Hooked(MemoryObjectStore(clock=clock), lambda: (None, None))
    hooked.hooking = asyncio.Lock()
    return hooked


async def test_pages_are_gone_through_and_a_lost_one_leaves_a_gap_in_what_is_known(
    metadata: Metadata, store: Hooked, clock: HastyClock
) -> None:
    tier = await claimed(metadata, store, clock)
    for _ in range(3):
        await tier.commit(TierChange(uploaded=await grow(tier, store, 300)))
    report = await Verifier(store, deep=False).partition(PATH)
    assert (report.objects, report.problem_count, report.is_partial) == (900, 0, False)
    objects = store.store
    assert isinstance(objects, MemoryObjectStore)
    (page,) = names(objects, ".pg")
    await objects.delete([page])
    report = await Verifier(store, deep=False).partition(PATH)
    assert faults(report) == [(page, Fault.MANIFEST)]
    assert report.is_partial
    assert report.objects == 900 - 512
    assert report.problems[0].offsets == OffsetRange(Offset(0), Offset(5120))


async def expire_and_sweep(
    tier: PartitionTier, store: ObjectStore, clock: HastyClock, *, start: int
) -> None:
    await tier.commit(TierChange(cut=Cut(start=Offset(start))))
    clock.now_ms += 2 * HOUR_MS
    await Sweeper(store, stats=TierStats()).empty_trash(tier, now_ms=clock.wall_ms())


async def test_what_has_expired_meanwhile_is_no_problem(
    metadata: Metadata, store: Hooked, clock: HastyClock
) -> None:
    tier = await claimed(metadata, store, clock)
    await tier.commit(TierChange(uploaded=await grow(tier, store, 20)))

    async def go_on() -> None:
        await expire_and_sweep(tier, store, clock, start=100)
        objects = store.store
        assert isinstance(objects, MemoryObjectStore)
        await objects.delete(names(objects, f"seg/{190:020d}")[:1])

    store.before_head = go_on
    report = await Verifier(store, deep=False).partition(PATH)
    ((key, fault),) = faults(report)
    assert (f"/{190:020d}-" in key, fault) == (True, Fault.MISSING)


async def test_a_page_that_was_retired_meanwhile_is_looked_for_in_the_new_manifest(
    metadata: Metadata, store: Hooked, clock: HastyClock
) -> None:
    tier = await claimed(metadata, store, clock)
    for _ in range(3):
        await tier.commit(TierChange(uploaded=await grow(tier, store, 300)))
    objects = store.store
    assert isinstance(objects, MemoryObjectStore)
    read = objects.read_all

    async def late_read(key: ObjectKey, *, size_max: int) -> bytes:
        if key.endswith(".pg"):
            objects.read_all = read  # type: ignore[method-assign]
            await expire_and_sweep(tier, store, clock, start=5200)
        return await read(key, size_max=size_max)

    objects.read_all = late_read  # type: ignore[method-assign]
    report = await Verifier(store, deep=False).partition(PATH)
    assert faults(report) == []
    assert (report.offsets.start, report.objects) == (5200, 380)


async def test_two_roots_of_one_commit_are_told_apart_by_the_hint(
    archive: MemoryObjectStore,
) -> None:
    hint = decode_pointer(archive._objects[object_key(LatestKey(path=REAL_PATH).text)].body)
    assert hint.root is not None
    twin = RootKey(path=REAL_PATH, stamp=hint.root.stamp, uid=Uid(b"\xff" * 16))
    await archive.create(object_key(twin.text), b"not the committed one")
    report = await verified(archive)
    assert faults(report) == []
    assert report.root == hint.root.key(REAL_PATH)


async def test_a_hint_of_a_later_claim_with_the_same_root_is_fine(
    archive: MemoryObjectStore,
) -> None:
    key = object_key(LatestKey(path=REAL_PATH).text)
    hint = decode_pointer(archive._objects[key].body)
    stamp = Stamp(LeaderEpoch(7), 9, hint.stamp.ver)
    later = type(hint)(
        stamp=stamp,
        root=hint.root,
        tiered_start=hint.tiered_start,
        tiered_end=hint.tiered_end,
        tiered_end_epoch=hint.tiered_end_epoch,
        bytes=hint.bytes,
        max_timestamp=hint.max_timestamp,
    )
    await archive.overwrite(key, encode_pointer(later))
    assert faults(await verified(archive)) == []
