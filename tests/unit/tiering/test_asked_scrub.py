"""A round that was asked for reads everything once, now, whatever comes and goes meanwhile."""

import pytest

from everlog.format.retention import Cut
from everlog.model.offsets import Offset
from everlog.stores.errors import StoreUnavailableError
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import ObjectKey
from everlog.stores.object_store import ObjectInfo
from service.tiering.asked_scrub import AskedRounds
from service.tiering.object_verification import Fault
from service.tiering.partition_tier import PartitionTier, TierChange
from service.tiering.range_checksum import checksum_of
from service.tiering.scrubber import Scrubber, ScrubPace
from tests.contract.object_stores import FailingStore
from tests.unit.tiering.archives import BODY, grow, names
from tests.unit.tiering.site import HastyClock
from tests.unit.tiering.test_partition_tier import HOUR_MS

SLOW = ScrubPace(bytes_per_day=1, round_ms=24 * HOUR_MS, asked_bytes_per_second=1 << 40)
"""Who waited for the budget of a day would never see the end."""


class Wishes:
    """The setting, and what comes of it."""

    def __init__(self, store: FailingStore, tier: PartitionTier, clock: HastyClock) -> None:
        self.since_ms = 0
        self.clock = clock
        self.scrubber = Scrubber(
            store, checksum=checksum_of(store), tiers=lambda: [tier], clock=clock, pace=SLOW
        )
        self.rounds = AskedRounds(
            self.scrubber, tiers=lambda: [tier], since_ms=lambda: self.since_ms, clock=clock
        )

    async def ask(self) -> int:
        """Ask for a round, and let it be made; return how many objects were read."""
        before = self.scrubber.stats.read_objects
        self.clock.now_ms += 1
        self.since_ms = self.clock.now_ms
        await self.rounds.catch_up()
        return self.scrubber.stats.read_objects - before


@pytest.fixture
def failing(source: MemoryObjectStore) -> FailingStore:
    return FailingStore(source, lambda: (None, None))


@pytest.fixture
def wishes(failing: FailingStore, tier: PartitionTier, clock: HastyClock) -> Wishes:
    return Wishes(failing, tier, clock)


async def test_every_object_is_read_once_for_each_wish(wishes: Wishes) -> None:
    assert wishes.rounds.latest.since_ms == 0
    assert await wishes.ask() == 12
    latest = wishes.rounds.latest
    assert (latest.objects, latest.done_bytes, latest.ratio) == (12, 12 * len(BODY), 1.0)
    await wishes.rounds.catch_up()
    assert wishes.scrubber.stats.read_objects == 12, "one wish is one round"
    assert await wishes.ask() == 12


async def test_a_page_is_gone_through_too(
    failing: FailingStore, long_tier: PartitionTier, clock: HastyClock
) -> None:
    assert await Wishes(failing, long_tier, clock).ask() == 900


async def test_what_was_asked_of_an_earlier_process_and_what_is_for_later_waits(
    wishes: Wishes,
) -> None:
    for since_ms in (wishes.clock.now_ms - 1, wishes.clock.now_ms, wishes.clock.now_ms + 1000):
        wishes.since_ms = since_ms
        await wishes.rounds.catch_up()
        assert wishes.scrubber.stats.read_objects == 0
    wishes.clock.now_ms += 1000
    await wishes.rounds.catch_up()
    assert wishes.scrubber.stats.read_objects == 12


async def test_damage_is_found_that_no_attribute_tells_of(
    wishes: Wishes, source: MemoryObjectStore
) -> None:
    bad, gone, *_ = names(source, ".seg")
    await source.delete([bad, gone])
    await source.create(bad, b"?" + BODY[1:])
    await wishes.ask()
    faults = {each.key.text: each.fault for each in wishes.scrubber.problems.values()}
    assert faults == {bad: Fault.DAMAGED, gone: Fault.MISSING}
    await source.delete([bad])
    for key in (bad, gone):
        await source.create(key, BODY)
    await wishes.ask()
    assert not wishes.scrubber.problems


async def test_behind_a_lost_page_it_goes_on(
    failing: FailingStore, source: MemoryObjectStore, long_tier: PartitionTier, clock: HastyClock
) -> None:
    wishes = Wishes(failing, long_tier, clock)
    (page,) = names(source, ".pg")
    await source.delete([page])
    assert await wishes.ask() == 900 - 512
    assert [each.fault for each in wishes.scrubber.problems.values()] == [Fault.MANIFEST]


async def test_a_store_that_does_not_answer_is_waited_for_and_nothing_is_passed_over(
    source: MemoryObjectStore, tier: PartitionTier, clock: HastyClock
) -> None:
    def plan() -> tuple[Exception | None, Exception | None]:
        is_down = failing.calls.count("head") == 5
        return (StoreUnavailableError("head", "x", "down") if is_down else None), None

    failing = FailingStore(source, plan)
    wishes = Wishes(failing, tier, clock)
    assert await wishes.ask() == 12
    assert wishes.rounds.latest.objects == 12


async def test_what_comes_and_goes_meanwhile_does_not_hide_anything(
    source: MemoryObjectStore, tier: PartitionTier, clock: HastyClock
) -> None:
    class GoingOn(FailingStore):
        async def head(self, key: ObjectKey) -> ObjectInfo:
            if self.calls.count("head") == 4:
                self.calls.append("head")
                await tier.commit(TierChange(cut=Cut(start=Offset(50))))
                await tier.commit(TierChange(uploaded=await grow(tier, source, 3)))
            return await super().head(key)

    wishes = Wishes(GoingOn(source, lambda: (None, None)), tier, clock)
    assert await wishes.ask() == 15
    assert not wishes.scrubber.problems
