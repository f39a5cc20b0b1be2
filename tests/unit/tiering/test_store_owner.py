"""Of all who take a store one has it, and everybody can tell who."""

import asyncio
from collections.abc import Sequence
from random import Random

import pytest

from everlog.format.meta_keys import OwnerKey
from everlog.format.object_keys import Uid
from everlog.model.buffer import Buffer
from everlog.model.clock import Clock
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import ObjectKey
from everlog.stores.object_store import LIST_OBJECTS_MAX, CreatedObject, ObjectInfo
from service.tiering.store_owner import (
    StoreTakenError,
    newest_owner,
    next_owner,
    read_owner,
    take_store,
)
from tests.contract.object_stores import SteadyClock
from tests.simulation.clock import SeededIds


class YieldingStore(MemoryObjectStore):
    """Lets others go first, now and then."""

    def __init__(self, *, clock: Clock, seed: int) -> None:
        super().__init__(clock=clock)
        self._random = Random(seed)

    async def create(
        self, key: ObjectKey, body: Buffer, *, crc32c: int | None = None
    ) -> CreatedObject:
        await self._wait()
        return await super().create(key, body, crc32c=crc32c)

    async def list(
        self, prefix: str, *, start_after: str | None = None, limit: int = LIST_OBJECTS_MAX
    ) -> Sequence[ObjectInfo]:
        await self._wait()
        return await super().list(prefix, start_after=start_after, limit=limit)

    async def _wait(self) -> None:
        for _ in range(self._random.randrange(4)):
            await asyncio.sleep(0)


def a_store() -> MemoryObjectStore:
    return MemoryObjectStore(clock=SteadyClock())


async def taken(store: MemoryObjectStore, *, seed: int, seen: OwnerKey | None) -> str:
    ids = SeededIds(seed)
    owner = next_owner(seen, "c", clock=SteadyClock(), ids=ids)
    await take_store(store, owner, uid=Uid(ids.uuid()))
    return owner.store_id


async def test_a_new_store_has_no_owner_but_its_first_cluster() -> None:
    assert await newest_owner(a_store(), "c") is None


async def test_each_restore_comes_after_the_one_before() -> None:
    store = a_store()
    for number in range(1, 4):
        seen = await newest_owner(store, "c")
        store_id = await taken(store, seed=number, seen=seen)
        newest = await newest_owner(store, "c")
        assert newest is not None
        assert newest.number == number
        assert (await read_owner(store, newest)).store_id == store_id
    assert await newest_owner(store, "another") is None


async def test_of_restores_at_once_at_most_one_gets_the_store() -> None:
    winners = set()
    for seed in range(40):
        store = YieldingStore(clock=SteadyClock(), seed=seed)
        outcomes = await asyncio.gather(
            *(taken(store, seed=seed * 3 + each, seen=None) for each in range(3)),
            return_exceptions=True,
        )
        ids = [each for each in outcomes if isinstance(each, str)]
        assert all(isinstance(each, str | StoreTakenError) for each in outcomes)
        newest = await newest_owner(store, "c")
        if ids:
            assert newest is not None
            assert ids == [(await read_owner(store, newest)).store_id]
        else:
            assert newest is None
        winners.add(len(ids))
    assert 1 in winners


async def test_who_comes_late_does_not_get_it_and_takes_it_from_nobody() -> None:
    for late in range(3, 20):  # whose name may be the greater one
        store = a_store()
        first = await taken(store, seed=1, seen=None)
        with pytest.raises(StoreTakenError, match="only one can have it"):
            await taken(store, seed=late, seen=None)
        newest = await newest_owner(store, "c")
        assert newest is not None
        assert (await read_owner(store, newest)).store_id == first
