"""A producer id is never given out twice."""

import asyncio

import pytest

from everlog.model.ids import NodeId
from service.coordination.metadata_store import ConnectionLostError, MetadataStore, Stat
from service.coordination.producer_ids import BLOCK_IDS, ProducerIds
from tests.unit.coordination.stage import founded, open_server


async def _take(ids: ProducerIds, count: int) -> list[int]:
    return list(await asyncio.gather(*(ids.next_id() for _ in range(count))))


async def test_ids_are_taken_in_blocks_and_given_out_in_order() -> None:
    store = await founded()
    ids = ProducerIds(store=store, broker_id=NodeId(1))
    assert await _take(ids, BLOCK_IDS + 3) == list(range(BLOCK_IDS + 3))
    assert (await store.get("/pid_block"))[1].version == 2


async def test_after_a_restart_no_id_comes_again() -> None:
    server = await open_server()
    given: list[int] = []
    for _ in range(3):
        ids = ProducerIds(store=await founded(server), broker_id=NodeId(1))
        given += await _take(ids, 10)
    assert len(set(given)) == 30


async def test_brokers_never_share_a_block() -> None:
    server = await open_server()
    every = [
        ProducerIds(store=await founded(server), broker_id=NodeId(number)) for number in range(4)
    ]
    taken = await asyncio.gather(*(_take(ids, BLOCK_IDS + 5) for ids in every))
    given = [each for ids in taken for each in ids]
    assert len(set(given)) == len(given)


class LostAnswers:
    """Does what it is asked, and loses the first answers."""

    def __init__(self, store: MetadataStore, *, lost: int) -> None:
        self._store = store
        self._lost = lost

    async def get(self, path: str) -> tuple[bytes, Stat]:
        return await self._store.get(path)

    async def set(self, path: str, data: bytes, *, version: int) -> Stat:
        stat = await self._store.set(path, data, version=version)
        if self._lost:
            self._lost -= 1
            raise ConnectionLostError("lost")
        return stat


async def test_a_block_whose_answer_was_lost_is_not_taken_for_free() -> None:
    store = LostAnswers(await founded(), lost=1)
    ids = ProducerIds(store=store, broker_id=NodeId(1))  # type: ignore[arg-type]
    with pytest.raises(ConnectionLostError):
        await ids.next_id()
    assert await ids.next_id() == BLOCK_IDS
