"""The scrubber finds what a store has lost or damaged, says it once, and changes nothing."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest
import structlog

from everlog.stores.errors import StoreUnavailableError
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import ObjectKey
from service.tiering.object_verification import Fault
from service.tiering.partition_tier import PartitionTier, TierChange
from service.tiering.range_checksum import checksum_of
from service.tiering.scrubber import Scrubber, ScrubPace
from tests.contract.object_stores import FailingStore
from tests.unit.tiering.archives import BODY, grow, names
from tests.unit.tiering.site import HastyClock, Metadata, metadata_tree
from tests.unit.tiering.test_partition_tier import HOUR_MS, PARTITION, claimed
from tests.unit.tiering.test_verification import expire_and_sweep

ROUND_MS = 24 * HOUR_MS
STEPS = 20
PLENTY = 1 << 50
"""Bytes a day: everything is read in each round, without waiting."""


@pytest.fixture
async def metadata() -> AsyncIterator[Metadata]:
    async with metadata_tree() as metadata:
        await metadata.add(PARTITION)
        yield metadata


@pytest.fixture
def clock() -> HastyClock:
    return HastyClock()


@pytest.fixture
def objects(clock: HastyClock) -> MemoryObjectStore:
    return MemoryObjectStore(clock=clock)


@pytest.fixture
def store(objects: MemoryObjectStore) -> FailingStore:
    return FailingStore(objects, lambda: (None, None))


@pytest.fixture
async def tier(metadata: Metadata, store: FailingStore, clock: HastyClock) -> PartitionTier:
    tier = await claimed(metadata, store, clock)
    await tier.commit(TierChange(uploaded=await grow(tier, store, 40)))
    store.calls.clear()
    return tier


@pytest.fixture
def events() -> Iterator[list[dict[str, object]]]:
    with structlog.testing.capture_logs() as logs:
        yield logs


@dataclass(frozen=True, slots=True, kw_only=True)
class Share(ScrubPace):
    """Reads a part of all bytes in a round, and does not take its time."""

    part: float

    def share(self, total_bytes: int) -> float:
        return self.part


def scrubber(
    store: FailingStore, tier: PartitionTier, clock: HastyClock, *, bytes_per_day: int = PLENTY
) -> Scrubber:
    return Scrubber(
        store,
        checksum=checksum_of(store),
        tiers=lambda: [tier],
        clock=clock,
        pace=ScrubPace(bytes_per_day=bytes_per_day, round_ms=ROUND_MS, steps=STEPS),
    )


async def go_round(working: Scrubber, clock: HastyClock, *, rounds: float = 1.0) -> None:
    """Let so much of a round pass, in steps as the broker makes them."""
    for _ in range(int(STEPS * rounds)):
        clock.now_ms += ROUND_MS // STEPS
        await working.catch_up()


async def test_each_object_is_asked_for_once_in_a_round_and_read(
    tier: PartitionTier, store: FailingStore, clock: HastyClock
) -> None:
    working = scrubber(store, tier, clock)
    await go_round(working, clock, rounds=3)
    assert working.stats.objects == working.stats.read_objects == 3 * 40
    assert working.stats.read_bytes == 3 * 40 * len(BODY)
    assert not working.problems
    assert set(store.calls) <= {"head", "read", "list"}


async def test_only_a_share_is_read_when_the_budget_is_small(
    tier: PartitionTier, store: FailingStore, clock: HastyClock
) -> None:
    working = scrubber(store, tier, clock)
    working._pace = Share(bytes_per_day=PLENTY, round_ms=ROUND_MS, steps=STEPS, part=0.1)
    await go_round(working, clock, rounds=11)
    assert working.stats.objects == 11 * 40
    assert 40 <= working.stats.read_objects <= 60, "each at least once, in ten rounds and one more"


def test_a_day_s_budget_takes_a_day_to_read() -> None:
    pace = ScrubPace(bytes_per_day=1000, round_ms=7 * 24 * HOUR_MS)
    assert pace.seconds_for(1000) == 86_400
    assert pace.share(70_000) == pytest.approx(0.1)
    assert pace.share(100) == 1
    assert pace.share(0) == 1


async def test_a_missing_object_is_found_within_a_round_and_named_once(
    tier: PartitionTier,
    store: FailingStore,
    objects: MemoryObjectStore,
    clock: HastyClock,
    events: list[dict[str, object]],
) -> None:
    gone = names(objects, ".seg")[7]
    await objects.delete([gone])
    working = scrubber(store, tier, clock)
    await go_round(working, clock, rounds=2)
    ((problem),) = working.problems.values()
    assert (problem.key.text, problem.fault) == (gone, Fault.MISSING)
    told = [each for each in events if each["event"] == "archive_object_unsound"]
    assert [each["object"] for each in told] == [gone]
    assert "put it back" in str(told[0]["advice"])


async def overwritten(objects: MemoryObjectStore, key: ObjectKey, body: bytes) -> None:
    """Change bytes behind the store's back: it goes on telling the checksum of old."""
    stored = objects._objects[key]
    objects._objects[key] = type(stored)(body, stored.crc32c, stored.modified_ms)


@pytest.mark.rule("TIER-42")
async def test_damage_is_found_by_reading_and_forgotten_when_it_was_put_right(
    tier: PartitionTier,
    store: FailingStore,
    objects: MemoryObjectStore,
    clock: HastyClock,
    events: list[dict[str, object]],
) -> None:
    bad = names(objects, ".seg")[3]
    await overwritten(objects, bad, BODY[:-1] + b"y")
    working = scrubber(store, tier, clock)
    await go_round(working, clock)
    ((problem),) = working.problems.values()
    assert (problem.key.text, problem.fault) == (bad, Fault.DAMAGED)
    working._pace = Share(bytes_per_day=PLENTY, round_ms=ROUND_MS, steps=STEPS, part=0.0)
    await go_round(working, clock)
    assert working.problems, "its size and checksum are right, and that clears nothing"
    await overwritten(objects, bad, BODY)
    await go_round(working, clock)
    assert not working.problems
    assert events[-1]["event"] == "archive_object_sound_again"


async def test_what_was_damaged_on_its_way_once_is_no_problem(
    tier: PartitionTier, store: FailingStore, objects: MemoryObjectStore, clock: HastyClock
) -> None:
    reads = 0

    async def checksum(key: ObjectKey, start: int, length: int) -> int:
        nonlocal reads
        reads += 1
        found = await checksum_of(store)(key, start, length)
        return found ^ 1 if reads == 5 else found

    working = scrubber(store, tier, clock)
    working._checksum = checksum
    await go_round(working, clock)
    assert (reads, len(working.problems)) == (41, 0)


async def test_what_has_expired_meanwhile_is_no_problem(
    tier: PartitionTier, store: FailingStore, clock: HastyClock
) -> None:
    working = scrubber(store, tier, clock)
    first_page_of_root = await working._root(tier, 0)
    await expire_and_sweep(tier, store, clock, start=200)
    assert first_page_of_root is not None

    async def stale(_tier: PartitionTier, _round: int) -> object:
        return first_page_of_root

    working._root = stale  # type: ignore[assignment,method-assign]
    await go_round(working, clock)
    assert not working.problems


async def test_a_lost_page_or_root_is_a_problem_of_the_manifest(
    metadata: Metadata, store: FailingStore, objects: MemoryObjectStore, clock: HastyClock
) -> None:
    tier = await claimed(metadata, store, clock)
    for _ in range(3):
        await tier.commit(TierChange(uploaded=await grow(tier, store, 300)))
    working = scrubber(store, tier, clock)
    await objects.delete(names(objects, ".pg"))
    await go_round(working, clock)
    assert [each.fault for each in working.problems.values()] == [Fault.MANIFEST]
    assert 900 - 512 - 10 <= working.stats.objects <= 900 - 512
    await objects.delete(names(objects, ".root"))
    await go_round(working, clock)
    ends = sorted(each.key.text.rpartition(".")[2] for each in working.problems.values())
    assert ends == ["pg", "root"]


async def test_a_store_that_does_not_answer_puts_it_off(
    tier: PartitionTier, store: FailingStore, clock: HastyClock
) -> None:
    working = scrubber(store, tier, clock)
    store.plan = lambda: (StoreUnavailableError("head", "x", "down"), None)
    with pytest.raises(StoreUnavailableError):
        await go_round(working, clock, rounds=0.1)
    store.plan = lambda: (None, None)
    await go_round(working, clock)
    assert not working.problems
    assert working.stats.objects >= 38


async def test_a_clock_that_goes_back_or_leaps_ahead_does_no_harm(
    tier: PartitionTier, store: FailingStore, clock: HastyClock
) -> None:
    working = scrubber(store, tier, clock)
    clock.now_ms -= 10 * ROUND_MS
    await working.catch_up()
    assert working.stats.objects == 0
    clock.now_ms += 1000 * ROUND_MS
    await working.catch_up()
    assert working.stats.objects <= 40 // 10 + 1, "what was long due is left out"


async def test_no_budget_turns_it_off(
    tier: PartitionTier, store: FailingStore, clock: HastyClock
) -> None:
    working = scrubber(store, tier, clock, bytes_per_day=0)
    assert not working.is_on
    await working.run()
    assert store.calls == []


async def test_it_goes_on_after_a_restart_where_the_clock_says(
    tier: PartitionTier, store: FailingStore, clock: HastyClock
) -> None:
    begin = clock.now_ms - clock.now_ms % ROUND_MS
    clock.now_ms = begin
    for _ in range(4):
        working = scrubber(store, tier, clock)
        await go_round(working, clock, rounds=0.25)
        assert working.stats.objects == 10
    asked = [each for each in store.calls if each == "head"]
    assert len(asked) == 40
