"""Claims and commits over the embedded metadata store, which loses answers on demand."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from everlog.format.object_keys import Stamp, Uid
from everlog.format.pointer import Pointer, StaleEpochError, decode_pointer
from everlog.format.root import RootRef
from everlog.model.ids import PartitionId, TopicId
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.stores.backoff import RetryPolicy
from service.coordination.embedded.server import TreeServer
from service.coordination.embedded.store import EmbeddedStore, open_tree
from service.coordination.metadata_store import ConnectionLostError, Create
from service.coordination.znodes import TIER, tier_path, tiers_path
from service.partition.tier_pointers import TierPointers
from service.tiering.authority import (
    Authority,
    ClaimRequest,
    Held,
    PointerWrite,
    StoredPointer,
    TierFencedError,
)
from tests.simulation.clock import ManualClock, SeededIds
from tests.simulation.disk import SimDisk

TOPIC = TopicId(b"0123456789abcdef")
HASTY = RetryPolicy(transient_wait_s_min=0.0, transient_wait_s_max=0.0, deadline_s=None)


class Unsteady:
    """Pointers behind a line that breaks as planned: before a write takes effect, or after it."""

    def __init__(self, store: TierPointers) -> None:
        self._store = store
        self.breaks: list[str] = []
        self.writes = 0

    async def read(self, partitions: Sequence[PartitionId]) -> list[StoredPointer | None]:
        return await self._store.read(partitions)

    async def write(self, writes: Sequence[PointerWrite]) -> list[int]:
        self.writes += 1
        fault = self.breaks.pop(0) if self.breaks else ""
        if fault == "before":
            raise ConnectionLostError("the question was lost")
        versions = await self._store.write(writes)
        if fault == "after":
            raise ConnectionLostError("the answer was lost")
        return versions


def partition(number: int) -> PartitionId:
    return PartitionId(TOPIC, number)


def request(number: int = 0, *, epoch: int = 1, may_begin: bool = True) -> ClaimRequest:
    return ClaimRequest(
        partition=partition(number),
        epoch=LeaderEpoch(epoch),
        start=Offset(0),
        may_begin=may_begin,
    )


@pytest.fixture
async def server() -> AsyncIterator[TreeServer]:
    disk = SimDisk()
    disk.make_dirs("/tree")
    server = await open_tree(disk=disk, directory="/tree", executor=None)
    yield server
    await server.close()


@pytest.fixture
async def metadata(server: TreeServer) -> AsyncIterator[EmbeddedStore]:
    store = await EmbeddedStore.connect(server)
    await store.multi([Create(TIER), Create(tiers_path(TOPIC))])
    await store.multi([Create(tier_path(partition(n))) for n in range(3)])
    yield store
    await store.close()


@pytest.fixture
def pointers(metadata: EmbeddedStore) -> Unsteady:
    return Unsteady(TierPointers(metadata))


def authority_over(store: Unsteady) -> Authority:
    return Authority(
        store, clock=ManualClock(), ids=SeededIds(), claim_policy=HASTY, commit_policy=HASTY
    )


async def claim(authority: Authority, *, epoch: int = 1) -> Held:
    held = await authority.claim(request(epoch=epoch))
    assert held is not None
    return held


def next_commit(pointer: Pointer, uid: int = 1) -> Pointer:
    stamp = Stamp(pointer.stamp.epoch, pointer.stamp.claim, pointer.stamp.ver + 1)
    ref = RootRef(stamp=stamp, uid=Uid(bytes([uid]) * 16), sha256=bytes(32))
    return replace(
        pointer, stamp=stamp, root=ref, tiered_end=Offset(10), tiered_end_epoch=LeaderEpoch(1)
    )


async def stored(metadata: EmbeddedStore, number: int = 0) -> Pointer:
    return decode_pointer((await metadata.get(tier_path(partition(number))))[0])


@pytest.mark.rule("TIER-4")
async def test_each_claim_is_newer_than_the_one_before_in_the_same_epoch(
    pointers: Unsteady,
) -> None:
    authority = authority_over(pointers)
    first, second = await claim(authority), await claim(authority)
    assert (first.pointer.stamp.claim, second.pointer.stamp.claim) == (1, 2)
    assert second.version == first.version + 1


@pytest.mark.rule("TIER-3")
async def test_whoever_was_claimed_over_cannot_commit(
    pointers: Unsteady, metadata: EmbeddedStore
) -> None:
    old, new = authority_over(pointers), authority_over(pointers)
    held = await claim(old)
    newer = await claim(new, epoch=2)
    with pytest.raises(TierFencedError):
        await old.commit(held, next_commit(held.pointer))
    assert await stored(metadata) == newer.pointer
    after = await new.commit(newer, next_commit(newer.pointer))
    assert await stored(metadata) == after.pointer


async def test_an_older_leader_cannot_claim(pointers: Unsteady) -> None:
    authority = authority_over(pointers)
    await claim(authority, epoch=5)
    with pytest.raises(StaleEpochError):
        await claim(authority, epoch=4)


@pytest.mark.rule("TIER-9")
@pytest.mark.parametrize("fault", ["before", "after"])
async def test_a_commit_whose_answer_is_lost_counts_once(
    pointers: Unsteady, metadata: EmbeddedStore, fault: str
) -> None:
    authority = authority_over(pointers)
    held = await claim(authority)
    pointers.breaks = [fault, fault]
    after = await authority.commit(held, next_commit(held.pointer))
    assert await stored(metadata) == after.pointer
    assert after.version == held.version + 1
    again = await authority.commit(after, next_commit(after.pointer, uid=2))
    assert again.version == after.version + 1


@pytest.mark.rule("TIER-9")
async def test_a_lost_answer_does_not_hide_that_somebody_else_has_claimed(
    pointers: Unsteady,
) -> None:
    old, new = authority_over(pointers), authority_over(pointers)
    held = await claim(old)
    pointers.breaks = ["before"]
    late = asyncio.ensure_future(old.commit(held, next_commit(held.pointer)))
    await claim(new, epoch=2)
    with pytest.raises(TierFencedError):
        await late


@pytest.mark.parametrize("fault", ["before", "after"])
async def test_a_claim_whose_answer_is_lost_is_made_again(pointers: Unsteady, fault: str) -> None:
    pointers.breaks = [fault]
    authority = authority_over(pointers)
    held = await claim(authority)
    after = await authority.commit(held, next_commit(held.pointer))
    assert after.pointer.stamp.ver == 1


async def test_claims_at_the_same_time_share_transactions(
    pointers: Unsteady, metadata: EmbeddedStore
) -> None:
    await metadata.multi([Create(tier_path(partition(n))) for n in range(3, 600)])
    authority = authority_over(pointers)
    held = await asyncio.gather(*(authority.claim(request(n)) for n in range(600)))
    assert pointers.writes == 3
    assert [each.partition.partition for each in held if each is not None] == list(range(600))


async def test_one_partition_that_cannot_be_claimed_does_not_stop_the_others(
    pointers: Unsteady,
) -> None:
    authority = authority_over(pointers)
    await authority.claim(request(1, epoch=9))
    outcomes = await asyncio.gather(
        *(authority.claim(request(n, epoch=3)) for n in (0, 1, 2, 7)), return_exceptions=True
    )
    kinds = [type(each) for each in outcomes]
    assert kinds == [Held, StaleEpochError, Held, TierFencedError]


async def test_a_topic_that_is_not_tiered_begins_no_tier(
    pointers: Unsteady, metadata: EmbeddedStore
) -> None:
    authority = authority_over(pointers)
    assert await authority.claim(request(may_begin=False)) is None
    assert (await metadata.get(tier_path(partition(0))))[0] == b""
    await claim(authority)
    assert await authority.claim(request(may_begin=False)) is not None
