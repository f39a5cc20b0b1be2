"""Whoever had a store before a restore finds out, and leaves it alone from then on."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from itertools import pairwise

import pytest
from typing_extensions import override

from everlog.format.object_keys import Uid
from everlog.stores.errors import StoreUnavailableError
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_store import LIST_OBJECTS_MAX, ObjectInfo, ObjectStore
from service.app.home_gate import HomeGate
from service.app.tier_wiring import may_search
from service.coordination.archive_record import ArchiveRecord, create_archive_record
from service.coordination.identity import StartRefusedError
from service.partition.archive_home import ArchiveHome, StoreLostError
from service.tiering.store_owner import newest_owner, next_owner, take_store
from service.tiering.worker.channel import Answer, Fields
from tests.contract.object_stores import SteadyClock
from tests.simulation.clock import SeededIds
from tests.simulation.loop import SimLoop, run_simulated
from tests.unit.partition.test_archive_home import (
    AwayStore,
    a_store,
    home_of,
    taken,
    until,
    with_a_committed_root,
)
from tests.unit.tiering.site import CLUSTER, Metadata, broker_config, metadata_tree


class CountingWorker:
    """A transfer process that does nothing."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def call(self, op: str, fields: Fields, body: bytes = b"") -> Answer:
        self.calls.append(op)
        return {}, b""


@pytest.fixture
async def metadata() -> AsyncIterator[Metadata]:
    async with metadata_tree() as metadata:
        yield metadata


async def restored_elsewhere(store: ObjectStore, *, seed: int = 77) -> str:
    """Take a store as a restore does; return the id that only the restored metadata knows."""
    ids = SeededIds(seed)
    seen = await newest_owner(store, CLUSTER)
    owner = next_owner(seen, CLUSTER, clock=SteadyClock(), ids=ids)
    await take_store(store, owner, uid=Uid(ids.uuid()))
    return owner.store_id


async def test_who_had_a_store_before_a_restore_may_not_use_it_any_more(
    metadata: Metadata,
) -> None:
    store = a_store()
    await taken(metadata, store)
    await restored_elsewhere(store)
    home = home_of(metadata, store)
    await home.settle()
    running = asyncio.create_task(home.run())
    await until(lambda: home.is_elsewhere)
    with pytest.raises(StoreUnavailableError, match="taken by a restore at 2023-11-14T22:13:20"):
        await home.admit("create", "k")
    assert not home.is_known
    running.cancel()
    with pytest.raises(StartRefusedError, match="must not write there any more"):
        await home_of(metadata, store, "file:///b").settle()


async def test_a_cluster_without_a_record_of_its_store_does_not_get_it_back(
    metadata: Metadata,
) -> None:
    store = a_store()
    await with_a_committed_root(metadata, store)
    await restored_elsewhere(store)
    with pytest.raises(StartRefusedError, match="must not write there any more"):
        await home_of(metadata, store).settle()


async def test_the_restored_cluster_knows_its_store_by_the_newest_owner(
    metadata: Metadata,
) -> None:
    store = a_store()
    for seed in range(1, 4):
        store_id = await restored_elsewhere(store, seed=seed)
    record = ArchiveRecord(store_id=store_id, url="file:///a")
    await create_archive_record(metadata.store, record)
    home = home_of(metadata, store)
    await home.settle()
    await home.run()
    assert home.is_known
    assert home.owner == 3
    await home.confirm()
    # What the restore has left out stays as long as any orphan, counted from the restore.
    grace_ms = broker_config({"data.dir": "/d"}).archive_orphan_grace_ms
    for later_ms, may in ((0, False), (grace_ms - 1, False), (grace_ms, True)):
        now_ms = SteadyClock().now_ms + later_ms
        assert may_search(home, broker_config({"data.dir": "/d"}), now_ms) == may


async def test_nothing_is_searched_in_a_store_that_may_be_another(metadata: Metadata) -> None:
    home = home_of(metadata, a_store())
    assert not may_search(home, broker_config({"data.dir": "/d"}), 1 << 60)
    await home.run()
    assert may_search(home, broker_config({"data.dir": "/d"}), 1 << 60)


async def test_a_running_broker_finds_out_that_a_restore_has_taken_its_store(
    metadata: Metadata,
) -> None:
    store = a_store()
    home = await taken(metadata, store)
    await home.confirm()
    await restored_elsewhere(store)
    assert home.is_known
    with pytest.raises(StoreLostError):
        await home.confirm()
    assert not home.is_known
    with pytest.raises(StoreUnavailableError, match="taken by a restore"):
        await home.admit("delete", "k")


async def test_a_store_that_is_away_for_a_while_is_still_known(metadata: Metadata) -> None:
    store = AwayStore()
    store.is_away = False
    home = await taken(metadata, store)
    store.is_away = True
    with pytest.raises(StoreUnavailableError):
        await home.confirm()
    assert home.is_known


async def test_a_broker_that_runs_on_looks_every_now_and_then(metadata: Metadata) -> None:
    store = a_store()
    home = ArchiveHome(
        url="file:///a",
        cluster_id=CLUSTER,
        metadata=metadata.store,
        store=store,
        ids=SeededIds(1),
        retry_seconds=0,
        confirm_seconds=0,
    )
    await home.settle()
    keeping = asyncio.create_task(home.keep())
    await until(lambda: home.is_known)
    await restored_elsewhere(store)
    await until(lambda: home.is_elsewhere)
    assert not home.is_known
    keeping.cancel()


class Looks(MemoryObjectStore):
    """Notes when somebody looks who has it, and is away at some of these times."""

    def __init__(self, *, away: set[int]) -> None:
        super().__init__(clock=SteadyClock())
        self.at: list[float] = []
        self._away = away

    @override
    async def list(
        self, prefix: str, *, start_after: str | None = None, limit: int = LIST_OBJECTS_MAX
    ) -> Sequence[ObjectInfo]:
        self.at.append(asyncio.get_running_loop().time())
        if len(self.at) in self._away:
            raise StoreUnavailableError("list", prefix, "down")
        return await super().list(prefix, start_after=start_after, limit=limit)


def test_who_could_not_look_looks_again_soon() -> None:
    """A store that is away when it is looked at may come back with another owner."""
    looks = Looks(away={3, 4})

    async def keep_for_a_while(_: SimLoop) -> None:
        async with metadata_tree() as metadata:
            home = await taken(metadata, looks, retry_seconds=5, confirm_seconds=60)
            with suppress(TimeoutError):
                async with asyncio.timeout(200):
                    await home.keep()

    run_simulated(1, keep_for_a_while)
    pauses = [round(after - before) for before, after in pairwise(looks.at)]
    assert pauses == [60, 60, 5, 5, 60]


async def test_nothing_is_deleted_without_a_look_at_who_has_the_store(metadata: Metadata) -> None:
    store = a_store()
    home = await taken(metadata, store)
    worker = CountingWorker()
    gate = HomeGate(worker, home)
    await gate.call("delete", {"keys": ["k"]})
    await restored_elsewhere(store)
    await gate.call("create", {"key": "k"})  # names are never contended for: it does no harm
    with pytest.raises(StoreUnavailableError, match="taken by a restore"):
        await gate.call("delete", {"keys": ["k"]})
    with pytest.raises(StoreUnavailableError, match="taken by a restore"):
        await gate.call("create", {"key": "k"})
    assert worker.calls == ["delete", "create"]
