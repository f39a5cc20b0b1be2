"""Scrubber: looks at all objects of the tiers that a broker owns, again and again, at little cost.

Each round (`service.tiering.scrub_round`) asks the store for size and checksum of every live object
and reads a share of them to their end, under a budget of bytes. One call at a time; bytes are read
and summed in the transfer process and neither pass through here nor through the cache. It never
changes anything: what is wrong goes to the log and the metrics.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from everlog.format.checksum import joined
from everlog.format.entries import Entry
from everlog.format.errors import UnsupportedFormatError
from everlog.format.lookup import entry_at
from everlog.format.object_keys import PartitionPath
from everlog.format.page import Page
from everlog.format.page_refs import PageId
from everlog.format.root import Root
from everlog.format.walk import drive_async
from everlog.model.clock import Clock
from everlog.model.errors import CorruptionError, EverlogError
from everlog.model.offsets import Offset
from everlog.stores.errors import ObjectMissingError
from everlog.stores.object_key import object_key
from everlog.stores.object_store import ObjectStore
from service.tiering.manifest_cache import ManifestCache
from service.tiering.manifest_store import ManifestStore
from service.tiering.object_verification import (
    READ_BYTES,
    Fault,
    Problem,
    attribute_problem,
    problem_of,
)
from service.tiering.partition_tier import PartitionTier
from service.tiering.range_checksum import ChecksumRange
from service.tiering.scrub_round import (
    Stretch,
    entries_within,
    is_read_in,
    stretches,
    within,
)

STEPS_PER_ROUND = 5000
"""Two minutes between two steps of a round of a week."""

ASKED_BYTES_PER_SECOND = 64 << 20
"""Unless the broker's settings say otherwise."""

BEHIND_MAX = 0.1
"""Part of a round; who is further behind, for the store did not answer, leaves out what was due."""

PROBLEMS_MAX = 1000
"""Objects that are held against the store; what is beyond is in the log only."""

MANIFEST_BYTES = 1 << 20
"""Kept of manifests within a step."""

_DAY_SECONDS = 86_400

Named = tuple[PartitionPath, Entry]
"""An object, and below whose names it lies."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrubPace:
    """How fast a scrubber goes.

    Attributes:
        bytes_per_day: Read of objects at most; 0 turns scrubbing off.
        round_ms: In so long the attributes of each object are asked for once.
        asked_bytes_per_second: Read at most in a round that somebody has asked for.
        steps: Of a round.
    """

    bytes_per_day: int
    round_ms: int
    asked_bytes_per_second: int = ASKED_BYTES_PER_SECOND
    steps: int = STEPS_PER_ROUND

    @property
    def step_ms(self) -> int:
        """Time between two steps."""
        return max(1, self.round_ms // self.steps)

    def share(self, total_bytes: int) -> float:
        """Return which part of all bytes one round may read."""
        per_round = self.bytes_per_day * self.round_ms / (_DAY_SECONDS * 1000)
        return min(1.0, per_round / max(1, total_bytes))

    def seconds_for(self, size: int) -> float:
        """Return how long reading so many bytes has to take."""
        return size * _DAY_SECONDS / self.bytes_per_day

    def asked_seconds_for(self, size: int) -> float:
        """Return the same for somebody who waits for it."""
        return size / self.asked_bytes_per_second


@dataclass(slots=True)
class ScrubStats:
    """Counters; only ever raised.

    Attributes:
        objects: Asked for their size and checksum.
        read_objects: Read to their end.
        read_bytes: Of those.
    """

    objects: int = 0
    read_objects: int = 0
    read_bytes: int = 0


Seconds = Callable[[int], float]
"""How long reading so many bytes has to take."""


class _LostPageError(Exception):
    """A page of a manifest cannot be read; that has been noted.

    Attributes:
        end: Of the offsets that it covers.
    """

    def __init__(self, end: Offset) -> None:
        super().__init__(end)
        self.end = end


class Scrubber:
    """Goes round the tiers of a broker.

    Args:
        store: Asked for attributes and manifests.
        checksum: Reads objects.
        tiers: Those that this broker owns now.
        clock: Of the broker; wall time tells where in the round it is.

    Attributes:
        problems: What is wrong now, by uid of the object.
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        checksum: ChecksumRange,
        tiers: Callable[[], Iterable[PartitionTier]],
        clock: Clock,
        pace: ScrubPace,
    ) -> None:
        self.stats = ScrubStats()
        self.problems: dict[bytes, Problem] = {}
        self._store = store
        self._checksum = checksum
        self._tiers = tiers
        self._clock = clock
        self._pace = pace
        self._manifests = self._fresh_manifests()
        self._done_ms = clock.wall_ms()
        self._found_in: dict[bytes, int] = {}
        self._failures = 0

    @property
    def is_on(self) -> bool:
        """Whether there is a budget."""
        return self._pace.bytes_per_day > 0

    @property
    def round_ratio(self) -> float:
        """How much of the round is over."""
        return (self._done_ms % self._pace.round_ms) / self._pace.round_ms

    async def run(self) -> None:
        """Work until cancelled."""
        while self.is_on:
            await asyncio.sleep(self._pace.step_ms / 1000)
            try:
                await self.catch_up()
            except EverlogError as error:
                self._complain(error)
            except Exception:  # noqa: BLE001  (scrubbing must not end the broker's own work)
                _log.exception("scrub_failed")
            else:
                self._failures = 0

    async def catch_up(self) -> None:
        """Look at everything that is due by now.

        Raises:
            RetriableError: The store did not answer; what was due is looked at next time.
        """
        pace = self._pace
        now_ms = self._clock.wall_ms()
        self._done_ms = min(self._done_ms, now_ms)  # the clock may have gone back
        self._done_ms = max(self._done_ms, now_ms - int(pace.round_ms * BEHIND_MAX))
        while self._done_ms < now_ms:
            until_ms = min(now_ms, self._done_ms + pace.step_ms)
            tiers = sorted(self._tiers(), key=lambda each: each.path.prefix)
            sizes = [each.pointer.bytes for each in tiers]
            due = stretches(self._done_ms, until_ms, round_ms=pace.round_ms, total_bytes=sum(sizes))
            for stretch in due:
                await self._look_at(stretch, tiers, sizes)
                self._forget_old(stretch.round_number)
            self._done_ms = until_ms

    async def _look_at(
        self, stretch: Stretch, tiers: Sequence[PartitionTier], sizes: Sequence[int]
    ) -> None:
        self._manifests = self._fresh_manifests()
        share = self._pace.share(sum(sizes))
        for number, start, end in within(stretch, sizes):
            tier = tiers[number]
            root = await self._root(tier, stretch.round_number)
            if root is None:
                continue
            try:
                due = await drive_async(
                    entries_within(root, start, end),
                    partial(self._page, tier, stretch.round_number),
                )
            except _LostPageError:
                continue
            for entry in due:
                # What was found unsound by reading it is sound again only if reading it says so.
                is_read = entry.uid in self.problems or is_read_in(
                    stretch.round_number, entry.uid, share=share
                )
                named = root.home_of(entry), entry
                reading = self._pace.seconds_for if is_read else None
                problem = await self._problem(tier, named, reading=reading)
                self._take(entry.uid, problem, stretch.round_number)

    # ---- out of turn

    async def entry_from(self, tier: PartitionTier, offset: Offset) -> Entry | None:
        """Return the first object that ends after an offset; None if there is none any more.

        What a lost page of the manifest leads to is left out; that has been noted.

        Raises:
            RetriableError: The store did not answer.
        """
        root = await self._root(tier, self._round_number)
        while root is not None:
            try:
                return await drive_async(
                    entry_at(root, max(offset, root.tiered_start)),
                    partial(self._page, tier, self._round_number),
                )
            except _LostPageError as error:
                offset = error.end
        return None

    async def look_now(self, tier: PartitionTier, entry: Entry) -> None:
        """Look at an object and read it, out of turn, at the pace of somebody who waits.

        Raises:
            RetriableError: The store did not answer.
        """
        named = tier.home_of(entry), entry
        problem = await self._problem(tier, named, reading=self._pace.asked_seconds_for)
        self._take(entry.uid, problem, self._round_number)

    @property
    def _round_number(self) -> int:
        return self._clock.wall_ms() // self._pace.round_ms

    # ---- manifests

    def _fresh_manifests(self) -> ManifestStore:
        """Remember nothing of earlier steps: what the store has now is what counts."""
        return ManifestStore(self._store, cache=ManifestCache(bytes_max=MANIFEST_BYTES))

    async def _root(self, tier: PartitionTier, round_number: int) -> Root | None:
        """Read the committed root anew: nobody else has to have it in memory for this."""
        ref = tier.pointer.root
        if ref is None:
            return None
        try:
            root = await self._manifests.root(tier.path, ref)
        except (ObjectMissingError, CorruptionError, UnsupportedFormatError) as error:
            if tier.pointer.root == ref:
                key = ref.key(tier.path)
                problem = problem_of(key, error, None, fault=Fault.MANIFEST)
                self._take(ref.uid, problem, round_number)
            return None
        self._take(ref.uid, None, round_number)
        return root

    async def _page(self, tier: PartitionTier, round_number: int, page: PageId) -> Page:
        try:
            found = await self._manifests.page(tier.path, page)
        except (ObjectMissingError, CorruptionError, UnsupportedFormatError) as error:
            problem = problem_of(page.key(tier.path), error, page.offsets, fault=Fault.MANIFEST)
            self._take(page.uid, problem, round_number)
            raise _LostPageError(page.offsets.end) from error
        self._take(page.uid, None, round_number)
        return found

    # ---- objects

    async def _problem(
        self, tier: PartitionTier, named: Named, *, reading: Seconds | None
    ) -> Problem | None:
        """Return what is wrong with an object, also at a second look, while it is still live.

        Args:
            tier: Whose it is.
            named: As the manifest has it, and where it lies.
            reading: At which pace it is read; None for not at all.
        """
        problem = await self._look(named, reading=reading)
        if problem is None or not await self._is_live(tier, named[1]):
            return None
        return await self._look(named, reading=reading)

    async def _look(self, named: Named, *, reading: Seconds | None) -> Problem | None:
        home, entry = named
        problem = await attribute_problem(self._store, home, entry)
        self.stats.objects += 1
        if problem is not None or reading is None:
            return problem
        return await self._read(home, entry, reading)

    async def _read(self, home: PartitionPath, entry: Entry, reading: Seconds) -> Problem | None:
        key, found, at = entry.key(home), 0, 0
        while at < entry.size_bytes:
            length = min(READ_BYTES, entry.size_bytes - at)
            try:
                piece = await self._checksum(object_key(key.text), at, length)
            except (ObjectMissingError, CorruptionError) as error:
                return problem_of(key, error, entry.offsets, fault=Fault.DAMAGED)
            found, at = joined(found, piece, length), at + length
            self.stats.read_bytes += length
            await asyncio.sleep(reading(length))
        self.stats.read_objects += 1
        if found == entry.crc32c:
            return None
        reason = f"its bytes have CRC-32C {found:08x} instead of {entry.crc32c:08x}"
        return Problem(key=key, fault=Fault.DAMAGED, reason=reason, offsets=entry.offsets)

    async def _is_live(self, tier: PartitionTier, entry: Entry) -> bool:
        """Whether the tier still names an object: it may have expired since its root was read."""
        ref = tier.pointer.root
        if ref is None:
            return False
        try:
            root = await self._manifests.root(tier.path, ref)
            found = await drive_async(
                entry_at(root, max(entry.offsets.start, root.tiered_start)),
                partial(self._manifests.page, tier.path),
            )
        except (ObjectMissingError, CorruptionError, UnsupportedFormatError):
            return True  # the manifest does not tell; that is found by itself
        return found is not None and found.uid == entry.uid

    # ---- what is wrong

    def _take(self, uid: bytes, problem: Problem | None, round_number: int) -> None:
        """Take note of what was seen of an object; say it where that is new."""
        before = self.problems.get(uid)
        if problem is None:
            if before is not None:
                del self.problems[uid], self._found_in[uid]
                _log.info("archive_object_sound_again", object=before.key.text)
            return
        if before is None or before.reason != problem.reason:
            offsets = problem.offsets
            _log.error(
                "archive_object_unsound",
                object=problem.key.text,
                fault=problem.fault.name.lower(),
                reason=problem.reason,
                offsets=None if offsets is None else [offsets.start, offsets.end],
                advice=problem.fault.value,
            )
        if before is not None or len(self.problems) < PROBLEMS_MAX:
            self.problems[uid] = problem
            self._found_in[uid] = round_number

    def _forget_old(self, round_number: int) -> None:
        """Forget what a whole round has not found again: it is not part of these tiers any more."""
        for uid in [each for each, at in self._found_in.items() if at < round_number - 1]:
            del self.problems[uid], self._found_in[uid]

    def _complain(self, error: EverlogError) -> None:
        self._failures += 1
        if self._failures & (self._failures - 1) == 0:
            _log.warning("scrub_put_off", failures=self._failures, reason=str(error))
