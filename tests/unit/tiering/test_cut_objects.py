"""Cuts in a store: which is the newest, which is chosen, and which may go."""

from dataclasses import replace

import pytest

from everlog.format.errors import UnsupportedFormatError
from everlog.format.meta_keys import CutKey
from everlog.format.sealed_json import seal_json
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import object_key
from service.tiering.cut_choice import choose_cut
from service.tiering.cut_objects import CutObjects, written
from tests.contract.object_stores import SteadyClock
from tests.simulation.clock import SeededIds
from tests.unit.format.test_cut_codec import CLUSTER, a_cut


class Shelf:
    """A store of cuts."""

    def __init__(self) -> None:
        self.clock = SteadyClock()
        self.store = MemoryObjectStore(clock=self.clock)
        self.objects = CutObjects(self.store, cluster_id=CLUSTER, ids=SeededIds(1))

    async def put(self, created_ms: int, *, owner: int = 0, roots: int = 1) -> CutKey:
        self.clock.now_ms = created_ms
        cut = replace(a_cut(roots=roots), created_ms=created_ms, owner=owner)
        return await self.objects.put(cut, await written(cut))

    async def times(self) -> list[tuple[int, int]]:
        return [(each.owner, each.created_ms) for each in await self.objects.all()]

    async def chosen(self, at_ms: int | None = None) -> tuple[int, int] | None:
        found = (await choose_cut(self.objects, at_ms=at_ms)).cut
        return None if found is None else (found.owner, found.created_ms)


@pytest.mark.parametrize("roots", [1, 2000])
async def test_a_cut_is_read_as_it_was_put(roots: int) -> None:
    shelf = Shelf()
    key = await shelf.put(7, roots=roots)
    assert key.is_packed == (roots > 1000)
    found = await shelf.objects.read(key)
    assert (found.created_ms, found.partitions) == (7, roots)


async def test_the_digest_is_that_of_the_content_and_not_of_the_time() -> None:
    first, later, other = a_cut(), a_cut(created_ms=7), a_cut(roots=3)
    assert (await written(first)).digest == (await written(later)).digest
    assert (await written(first)).body != (await written(later)).body
    assert (await written(first)).digest != (await written(other)).digest


async def test_the_newest_cut_of_the_newest_owner_is_chosen_or_the_newest_by_a_time() -> None:
    shelf = Shelf()
    assert await shelf.chosen() is None
    # The owner before has gone on for a while.
    for created_ms, owner in ((10, 0), (30, 0), (20, 1), (40, 1), (50, 0)):
        await shelf.put(created_ms, owner=owner)
    assert await shelf.chosen() == (1, 40)
    assert await shelf.chosen(45) == (1, 40)
    assert await shelf.chosen(39) == (1, 20)
    assert await shelf.chosen(19) == (0, 10)
    assert await shelf.chosen(9) is None


async def test_a_cut_that_is_damaged_gives_way_to_the_one_before_and_is_told() -> None:
    shelf = Shelf()
    await shelf.put(10)
    newest = await shelf.put(20)
    await shelf.store.overwrite(object_key(newest.text), b"{}")
    found = await choose_cut(shelf.objects, at_ms=None)
    assert found.cut is not None
    assert found.cut.created_ms == 10
    assert newest.text in found.notes[0]


async def test_a_cut_of_a_newer_version_is_not_passed_over() -> None:
    shelf = Shelf()
    await shelf.put(10)
    newest = await shelf.put(20)
    await shelf.store.overwrite(object_key(newest.text), seal_json({"format": 2}))
    with pytest.raises(UnsupportedFormatError):
        await choose_cut(shelf.objects, at_ms=None)


async def test_what_was_the_newest_within_the_window_stays_and_so_does_the_last_one() -> None:
    shelf = Shelf()
    for created_ms in (10, 20, 30, 40):
        await shelf.put(created_ms)
    # Who goes back to 25 needs the cut of 20.
    assert await shelf.objects.prune(before_ms=25) == 1
    assert await shelf.times() == [(0, 20), (0, 30), (0, 40)]
    assert await shelf.objects.prune(before_ms=1 << 40) == 2
    assert await shelf.objects.prune(before_ms=1 << 40) == 0
    assert await shelf.times() == [(0, 40)]
