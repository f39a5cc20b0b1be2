"""Where a tier stands, found in the bucket alone."""

from dataclasses import replace

import pytest

from everlog.format.errors import CorruptObjectError
from everlog.format.object_keys import LatestKey, PartitionPath, Stamp
from everlog.format.pointer import Pointer, pointer_to
from everlog.model.ids import TopicId
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import object_key
from service.tiering.archive_listing import RootNames, read_root, root_names
from service.tiering.manifest_store import ManifestStore
from service.tiering.pointer_search import PointerSearch, followed
from tests.contract.object_stores import SteadyClock
from tests.unit.tiering.archive_maker import ArchiveMaker

PATH = PartitionPath(cluster_id="c", topic_id=TopicId(b"0123456789abcdef"), partition=0)


class Bucket:
    """One partition whose leader may forget to write the hint."""

    def __init__(self) -> None:
        self.store = MemoryObjectStore(clock=SteadyClock())
        self.maker = ArchiveMaker(self.store, PATH)
        self.search = PointerSearch(self.store)

    async def commit(self, *, with_hint: bool = True) -> Pointer:
        await self.maker.add()
        names = await root_names(self.store, PATH)
        assert names.newest is not None
        found = await read_root(self.store, RootNames(keys=(), hint=None), names.newest)
        pointer = pointer_to(found.root, found.ref)
        if with_hint:
            await ManifestStore(self.store).hint(PATH, pointer)
        return pointer


async def test_the_hint_is_followed_without_a_look_at_any_root() -> None:
    bucket = Bucket()
    first = await bucket.commit()
    await bucket.store.delete(bucket.maker.roots)
    assert await bucket.search.newest(PATH, None) == first
    assert await bucket.search.newest(PATH, first, is_thorough=True) is None


async def test_a_commit_without_its_hint_is_found_by_a_thorough_search_alone() -> None:
    bucket = Bucket()
    first = await bucket.commit()
    second = await bucket.commit(with_hint=False)
    assert await bucket.search.newest(PATH, first) is None
    assert await bucket.search.newest(PATH, first, is_thorough=True) == second


async def test_without_a_sound_hint_the_names_of_roots_tell() -> None:
    bucket = Bucket()
    first = await bucket.commit(with_hint=False)
    assert await bucket.search.newest(PATH, None) == first
    second = await bucket.commit(with_hint=False)
    await bucket.store.overwrite(object_key(LatestKey(path=PATH).text), b"{torn")
    assert await bucket.search.newest(PATH, first) == second
    assert await bucket.search.newest(PATH, second) is None


async def test_a_damaged_root_is_passed_over() -> None:
    bucket = Bucket()
    first = await bucket.commit(with_hint=False)
    await bucket.commit(with_hint=False)
    await bucket.store.overwrite(bucket.maker.roots[-1], b"damaged")
    assert await bucket.search.newest(PATH, None) == first
    await bucket.store.overwrite(bucket.maker.roots[0], b"damaged")
    with pytest.raises(CorruptObjectError):
        await bucket.search.newest(PATH, None)  # by no means an empty partition


async def test_an_empty_partition_has_no_pointer() -> None:
    assert await Bucket().search.newest(PATH, None) is None


def pointer(*, epoch: int = 1, start: int = 0, end: int = 100) -> Pointer:
    return Pointer(
        stamp=Stamp(LeaderEpoch(epoch), epoch, epoch),
        root=None,
        tiered_start=Offset(start),
        tiered_end=Offset(end),
        tiered_end_epoch=LeaderEpoch(epoch),
        bytes=0,
        max_timestamp=None,
    )


@pytest.mark.parametrize(
    ("known", "found", "has_new_owner", "expected"),
    [
        (None, pointer(), False, pointer()),
        (pointer(), pointer(epoch=2, end=150), False, pointer(epoch=2, end=150)),
        (pointer(), pointer(epoch=2, end=99), False, None),
        (pointer(), pointer(epoch=2, end=99), True, pointer(epoch=2, end=99)),
        (pointer(start=50), pointer(epoch=2), False, pointer(epoch=2, start=50)),
        (pointer(start=50), pointer(epoch=2), True, pointer(epoch=2)),
    ],
)
def test_ends_go_back_only_with_a_new_owner(
    *, known: Pointer | None, found: Pointer, has_new_owner: bool, expected: Pointer | None
) -> None:
    assert followed(known, found, has_new_owner=has_new_owner) == expected


def test_nothing_but_the_start_of_a_followed_pointer_is_changed() -> None:
    found = pointer(epoch=2, start=1, end=200)
    assert followed(pointer(start=9), found, has_new_owner=False) == replace(
        found, tiered_start=Offset(9)
    )
