"""A partition goes on from the newest whole root, or from its objects alone."""

from dataclasses import dataclass

import pytest

from everlog.format.lookup import entry_at
from everlog.format.object_keys import LatestKey, RootKey, SegmentKey, parse_key
from everlog.format.pointer import Pointer, claimed, decode_pointer, encode_pointer
from everlog.format.walk import drive_async
from everlog.model.errors import CorruptionError, RejectedError
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import ObjectKey, object_key
from everlog.stores.object_store import ObjectInfo, list_all
from service.tiering.manifest_store import ManifestStore
from service.tiering.orphans import Census, Standing
from service.tiering.partition_names import RESTORE_EPOCH_STEP, PartitionNames, partitions_below
from service.tiering.partition_restore import PartitionRestore, RestoredTier, Source
from tests.contract.object_stores import SteadyClock
from tests.simulation.clock import SeededIds
from tests.unit.format.samples import NOW_MS, PATH, stamp, uid
from tests.unit.tiering.archive_maker import ArchiveMaker


@dataclass
class Place:
    """A store with one partition."""

    store: MemoryObjectStore
    maker: ArchiveMaker

    async def names(self) -> PartitionNames:
        found = [
            each
            async for each in partitions_below(self.store, PATH.prefix, cluster_id=PATH.cluster_id)
        ]
        return found[0] if found else PartitionNames(path=PATH)

    async def restored(self, *, at_ms: int | None = None, is_trial: bool = False) -> RestoredTier:
        restore = PartitionRestore(self.store, clock=SteadyClock(), ids=SeededIds(1), at_ms=at_ms)
        tier = await restore.restore(await self.names())
        if not is_trial:
            await restore.finish(tier)
        return tier

    async def infos(self, prefix: str = PATH.prefix) -> list[ObjectInfo]:
        return [info async for info in list_all(self.store, prefix)]

    async def remove(self, prefix: str) -> None:
        await self.store.delete([info.key for info in await self.infos(prefix)])

    async def damage(self, key: ObjectKey) -> None:
        body = await self.store.read_all(key, size_max=1 << 30)
        await self.store.overwrite(key, bytes(len(body)))

    async def objects_of(self, pointer: Pointer) -> list[SegmentKey]:
        """Walk from a pointer over all the objects that it leads to."""
        manifests = ManifestStore(self.store)
        assert pointer.root is not None
        root = await manifests.root(PATH, pointer.root)
        at, found = root.tiered_start, list[SegmentKey]()
        while at < root.tiered_end:
            entry = await drive_async(entry_at(root, at), lambda page: manifests.page(PATH, page))
            assert entry is not None
            found.append(entry.key(PATH))
            at = entry.offsets.end
        return found


@pytest.fixture
async def place() -> Place:
    store = MemoryObjectStore(clock=SteadyClock())
    return Place(store, ArchiveMaker(store, PATH))


def pointer_of(tier: RestoredTier) -> Pointer:
    assert tier.pointer is not None
    # As it goes through the metadata, and as the first start claims it.
    return claimed(decode_pointer(encode_pointer(tier.pointer)), epoch=LeaderEpoch(tier.epoch + 1))


async def test_the_newest_root_is_taken_as_it_is(place: Place) -> None:
    await place.maker.add(3)
    place.maker.claim()
    await place.maker.add()
    before = await place.infos()
    tier = await place.restored()
    pointer = pointer_of(tier)
    assert tier.source is Source.NEWEST
    assert (pointer.tiered_start, pointer.tiered_end) == (0, 40)
    assert pointer.tiered_end_epoch == 2
    assert pointer.stamp.ver == 2
    assert await place.objects_of(pointer) == place.maker.keys
    assert await place.infos() == before


async def test_epoch_and_claim_are_above_all_that_anybody_has_used(place: Place) -> None:
    await place.maker.add()
    place.maker.claim()
    await place.maker.upload(base=10)
    tier = await place.restored()
    assert tier.epoch == 2 + RESTORE_EPOCH_STEP
    assert tier.pointer is not None
    assert tier.pointer.stamp.epoch == tier.epoch
    assert tier.pointer.stamp.claim == 3


async def test_a_name_with_the_greatest_numbers_stops_this_partition_and_says_why(
    place: Place,
) -> None:
    key = RootKey(path=PATH, stamp=stamp(1, epoch=(1 << 31) - 1), uid=uid(1))
    await place.store.create(object_key(key.text), b"")
    with pytest.raises(RejectedError, match="move it away"):
        await place.restored()


async def test_a_partition_without_objects_has_no_tier_yet(place: Place) -> None:
    assert (await place.restored()).source is Source.NOTHING


@pytest.mark.parametrize("is_damaged", [False, True])
async def test_where_nothing_but_the_hint_is_left_the_log_goes_on_behind_its_end(
    place: Place, *, is_damaged: bool
) -> None:
    await place.maker.add(2)
    body = encode_pointer(pointer_of(await place.restored()))
    await place.remove(PATH.prefix)
    hint = object_key(LatestKey(path=PATH).text)
    await place.store.overwrite(hint, b"bits" if is_damaged else body)
    if is_damaged:
        with pytest.raises(CorruptionError):
            await place.restored()
        return
    tier = await place.restored()
    pointer = pointer_of(tier)
    assert tier.source is Source.HINT
    assert tier.has_records
    assert (pointer.tiered_start, pointer.tiered_end) == (20, 20)
    assert pointer.stamp.ver == 2
    assert (await place.restored()).source is Source.NEWEST


@pytest.mark.parametrize("what", ["damaged", "an object is missing", "an object is cut off"])
async def test_a_root_that_is_not_whole_gives_way_to_the_one_before(
    place: Place, what: str
) -> None:
    await place.maker.add(2)
    await place.maker.add()
    last = object_key(place.maker.keys[-1].text)
    if what == "damaged":
        await place.damage(place.maker.roots[-1])
    elif what == "an object is missing":
        await place.store.delete([last])
    else:
        await place.store.overwrite(last, b"short")
    tier = await place.restored()
    pointer = pointer_of(tier)
    assert tier.source is Source.EARLIER
    assert tier.notes
    assert pointer.tiered_end == 20
    assert await place.objects_of(pointer) == place.maker.keys[:2]


async def test_after_an_earlier_root_later_commits_are_orphans_and_no_alarm(place: Place) -> None:
    await place.maker.add()
    at_ms = place.maker.now_ms
    place.maker.now_ms += 1000
    for _ in range(3):
        await place.maker.add()
    tier = await place.restored(at_ms=at_ms)
    pointer = pointer_of(tier)
    assert tier.source is Source.EARLIER
    assert pointer.tiered_end == 10
    manifests = ManifestStore(place.store)
    assert pointer.root is not None
    census = Census(pointer, await manifests.root(PATH, pointer.root), now_ms=1 << 60, grace_ms=0)
    standings = {}
    for info in await place.infos():
        finding = await drive_async(census.finding(info), lambda page: manifests.page(PATH, page))
        standings[info.key] = finding.standing
    assert Standing.AHEAD not in standings.values()
    assert all(standings[key] is Standing.ORPHAN for key in place.maker.roots[1:])
    assert standings[place.maker.roots[0]] is Standing.TRASH
    assert standings[object_key(place.maker.keys[0].text)] is Standing.LIVE
    # A restore that comes after it finds the same again.
    again = await place.restored()
    assert again.source is Source.NEWEST
    assert again.pointer is not None
    assert again.pointer.tiered_end == 10
    assert again.epoch > tier.epoch


@pytest.mark.parametrize("commits_before", range(6))
async def test_the_root_of_a_time_is_the_newest_one_from_before(
    place: Place, commits_before: int
) -> None:
    for _ in range(5):
        place.maker.now_ms += 1000
        await place.maker.add()
    tier = await place.restored(at_ms=NOW_MS + 1000 * commits_before + 999)
    assert pointer_of(tier).tiered_end == 10 * commits_before
    assert tier.has_records == bool(commits_before)
    if not commits_before:
        assert tier.source is Source.LATER
        # What was there later is no sign that the pointer was set back.
        assert pointer_of(tier).stamp.ver == 6


async def test_expired_objects_may_be_gone(place: Place) -> None:
    await place.maker.add(4)
    await place.maker.expire_to(25)
    await place.store.delete([object_key(each.text) for each in place.maker.keys[:2]])
    tier = await place.restored()
    pointer = pointer_of(tier)
    assert tier.source is Source.NEWEST
    assert (pointer.tiered_start, pointer.tiered_end) == (25, 40)


@pytest.mark.rule("TIER-25")
async def test_without_roots_the_objects_themselves_make_up_the_log(place: Place) -> None:
    await place.maker.add(3)
    place.maker.claim()
    await place.maker.add(2)
    expected = (await place.restored(is_trial=True)).pointer
    await place.remove(PATH.roots)
    tier = await place.restored()
    pointer = pointer_of(tier)
    assert tier.source is Source.OBJECTS
    assert expected is not None
    assert (pointer.tiered_end, pointer.tiered_end_epoch) == (50, 2)
    assert (pointer.bytes, pointer.max_timestamp) == (expected.bytes, expected.max_timestamp)
    assert await place.objects_of(pointer) == place.maker.keys
    # It is a root like any other now.
    assert (await place.restored()).source is Source.NEWEST


@pytest.mark.rule("TIER-25")
async def test_more_objects_than_a_root_holds_are_folded_into_pages(place: Place) -> None:
    await place.maker.add(1100, records=1)
    await place.remove(PATH.roots)
    await place.remove(PATH.pages)
    pointer = pointer_of(await place.restored())
    assert await place.objects_of(pointer) == place.maker.keys


async def test_a_missing_page_makes_a_root_useless_but_not_the_objects(place: Place) -> None:
    await place.maker.add(513, records=1)
    await place.remove(PATH.pages)
    tier = await place.restored()
    assert tier.source is Source.OBJECTS
    assert pointer_of(tier).tiered_end == 513


async def test_objects_that_cannot_be_read_are_left_out_with_what_is_behind_them(
    place: Place,
) -> None:
    await place.maker.add(5)
    await place.remove(PATH.roots)
    await place.damage(object_key(place.maker.keys[3].text))
    tier = await place.restored()
    pointer = pointer_of(tier)
    assert await place.objects_of(pointer) == place.maker.keys[:3]
    assert any("left out" in note and "offsets 40 to 50" in note for note in tier.notes)


@pytest.mark.parametrize("roots_too", [False, True])
async def test_a_partition_of_which_nothing_can_be_read_is_not_begun_again(
    place: Place, *, roots_too: bool
) -> None:
    await place.maker.add(2)
    if roots_too:
        await place.remove(PATH.roots)
    for info in await place.infos():
        if not roots_too or isinstance(parse_key(info.key), SegmentKey):
            await place.damage(info.key)
    with pytest.raises(CorruptionError, match="nothing of"):
        await place.restored()


async def test_nothing_is_stored_before_the_store_is_taken(place: Place) -> None:
    await place.maker.add(2)
    await place.remove(PATH.roots)
    before = await place.infos()
    tier = await place.restored(is_trial=True)
    assert tier.pointer is not None
    assert tier.pointer.tiered_end == 20
    assert await place.infos() == before


async def test_without_roots_an_earlier_time_cuts_what_was_uploaded_later(place: Place) -> None:
    await place.maker.add(2)
    place.maker.now_ms += 1000
    await place.maker.add(2)
    await place.remove(PATH.roots)
    tier = await place.restored(at_ms=NOW_MS)
    assert pointer_of(tier).tiered_end == 20
    assert Offset(20) == place.maker.keys[1].offsets.end
