"""LogCleaner: one task that keeps the compacted logs of a broker compact, one log at a time.

A log gets a visit when one of its segments has been sealed, and when something in it comes of age:
a record for ``min.compaction.lag.ms`` or ``max.compaction.lag.ms``, a tombstone for
``delete.retention.ms``. Logs at rest cost nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any, NamedTuple, TypeVar

import structlog

from everlog.model.clock import Clock
from everlog.model.errors import EverlogError, RetriableError
from everlog.model.offsets import Offset
from service.hot.batch_filter import Keep
from service.hot.cleaning import (
    KEYS_MAX,
    Clean,
    Cleaned,
    CleaningRules,
    DirtySegment,
    KeyOffsets,
    Wait,
    decide,
)
from service.hot.index_cache import IndexCache
from service.hot.layout import CLEANED
from service.hot.log import HotLog
from service.hot.segment import Segment
from service.hot.segment_rewrite import Rewritten, note_keys, rewrite
from service.hot.sparse_index import encode_index
from service.hot.swap import (
    Intent,
    begin_swap,
    encode_cleaned,
    finish_swap,
    read_cleaned,
    rename_cleaned,
    undo_swap,
)
from service.model.disk import Disk

R = TypeVar("R")

REST_SHARE = 0.25
"""Rest after each step, as a share of the time that it took: the event loop needs the processor."""

SEGMENT_BYTES_FACTOR = 2
"""How much larger than ``segment.bytes`` a rewritten segment may be. Full segments that shrink go
together that way, in one swap; positions in an index have 32 bits, and so has the double."""

RETRY_MS = 60_000
"""A log that could not be cleaned is tried again after so long."""

WAIT_SECONDS_MAX = 3600.0
"""Timers reach no further; the wall clock may be set meanwhile."""

COMMIT_CHECK_MS = 1_000
"""A log whose sealed segments are not committed yet is looked at again after so long."""

_log = structlog.get_logger(__name__)


class _UnwantedError(RetriableError):
    """Somebody needs the log for something else."""


class _SwapError(RetriableError):
    """The disk may differ from what is in memory; opening the log again settles it."""


class _Done(NamedTuple):
    value: Any


class LogCleaner:
    """Cleans logs. All of this runs on the event loop, but for the steps over files.

    Args:
        disk: Where the logs are.
        clock: For ages.
        executor: Threads for the steps.
        indexes: Forgets the indexes of segments that are replaced.
        release: Removes segments below an offset; what came due during a visit is made up for.
        keys_max: Keys that one cleaning takes note of.
    """

    def __init__(
        self,
        *,
        disk: Disk,
        clock: Clock,
        executor: Executor | None,
        indexes: IndexCache,
        release: Callable[[HotLog, Offset], Awaitable[object]],
        keys_max: int = KEYS_MAX,
    ) -> None:
        self._disk = disk
        self._clock = clock
        self._executor = executor
        self._indexes = indexes
        self._release = release
        self._keys_max = keys_max
        self._queue: dict[HotLog, None] = {}
        self._due_ms: dict[HotLog, int] = {}
        self._cleaned: dict[HotLog, Cleaned] = {}
        self._stuck: set[HotLog] = set()
        self._current: HotLog | None = None
        self._is_unwanted = False
        self._woken = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def is_idle(self) -> bool:
        """Whether no log waits for a visit or has one; some may be due later."""
        return self._current is None and not self._queue

    def wake(self, log: HotLog) -> None:
        """Give a log a visit soon."""
        self._queue[log] = None
        self._woken.set()

    async def leave(self, log: HotLog) -> None:
        """Stop all work on a log, and forget it; nothing touches its files afterwards."""
        if self._current is log:
            self._is_unwanted = True
            await self._idle.wait()
        self._queue.pop(log, None)
        self._due_ms.pop(log, None)
        self._cleaned.pop(log, None)
        self._stuck.discard(log)

    async def run(self) -> None:
        """Visit logs, until cancelled; a step that is under way is finished then."""
        while True:
            log = self._next()
            if log is None:
                await self._wait()
                continue
            self._current, self._is_unwanted = log, False
            self._idle.clear()
            try:
                await self._visit(log)
            finally:
                self._current = None
                self._idle.set()

    def _next(self) -> HotLog | None:
        if not self._queue:
            now_ms = self._clock.wall_ms()
            self._queue = {log: None for log, due in self._due_ms.items() if due <= now_ms}
        if not self._queue:
            return None
        log = next(iter(self._queue))
        del self._queue[log]
        self._due_ms.pop(log, None)
        return log

    async def _wait(self) -> None:
        self._woken.clear()
        soonest = min(self._due_ms.values(), default=None)
        seconds = None
        if soonest is not None:
            seconds = min(max(soonest - self._clock.wall_ms(), 1) / 1000, WAIT_SECONDS_MAX)
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _visit(self, log: HotLog) -> None:
        rules = log.config.cleaning
        if rules is None or log.failure is not None or log in self._stuck:
            return
        log.is_held = True
        try:
            await self._consider(log, rules)
        except _UnwantedError:
            return
        except _SwapError as error:
            self._stuck.add(log)
            _log.error("log_not_cleanable", log=log.directory, reason=str(error))
        except (EverlogError, FileNotFoundError) as error:
            self._due_ms[log] = self._clock.wall_ms() + RETRY_MS
            _log.warning("log_not_cleaned", log=log.directory, reason=str(error))
        finally:
            log.is_held = False
        if log.log_start > log.local_start:
            await self._release(log, log.log_start)

    async def _consider(self, log: HotLog, rules: CleaningRules) -> None:
        cleaned = self._cleaned.get(log)
        if cleaned is None:
            cleaned = await self._in_thread(partial(read_cleaned, self._disk, log.directory))
        committed_end = log.committed_end()
        sealed = log.sealed
        ready = [each for each in sealed if each.next_offset <= committed_end]
        now_ms = self._clock.wall_ms()
        decision = decide(
            rules,
            cleaned,
            clean_bytes=sum(each.size for each in ready if each.next_offset <= cleaned.end),
            dirty=[
                self._described(each, rules) for each in ready if each.next_offset > cleaned.end
            ],
            now_ms=now_ms,
        )
        if isinstance(decision, Wait):
            self._cleaned[log] = cleaned
            self._note_due(log, decision.until_ms)
            if len(ready) < len(sealed):
                self._note_due(log, now_ms + COMMIT_CHECK_MS)
            return
        if await self._clean(log, rules, cleaned, decision):
            self.wake(log)

    def _note_due(self, log: HotLog, at_ms: int | None) -> None:
        if at_ms is not None:
            self._due_ms[log] = min(at_ms, self._due_ms.get(log, at_ms))

    def _described(self, segment: Segment, rules: CleaningRules) -> DirtySegment:
        newest_ms = first_append_ms = 0
        if rules.lag_ms_min or rules.lag_ms_max is not None:
            newest_ms = self._indexes.summarise(segment)
            first_append_ms = segment.first_append_ms or 0
        return DirtySegment(
            end=segment.next_offset,
            size=segment.size,
            newest_ms=newest_ms,
            first_append_ms=first_append_ms,
        )

    async def _clean(
        self, log: HotLog, rules: CleaningRules, cleaned: Cleaned, decision: Clean
    ) -> bool:
        """Clean a log; return whether that has changed anything."""
        segments = [each for each in log.sealed if each.next_offset <= decision.end]
        size_before = log.size
        keys = KeyOffsets(decision.end, keys_max=self._keys_max)
        dirty = [each for each in segments if each.next_offset > cleaned.end]
        await self._drive(note_keys(self._disk, dirty, keys, start=cleaned.end))
        now_ms = self._clock.wall_ms()
        until_ms = cleaned.tombstones_until
        if keys.end <= cleaned.end and (until_ms is None or until_ms > now_ms):
            # A transaction stands right behind what is clean; see `is_closed`.
            self._cleaned[log] = cleaned
            return False
        keep = Keep(
            keys=keys,
            now_ms=now_ms,
            tombstone_ms=rules.tombstone_ms,
            producer_bases=log.producers.last_bases(),
        )
        until_ms = await self._rewrite_all(log, keep)
        done = Cleaned(end=keys.end, tombstones_until=until_ms)
        await self._save(log, done)
        _log.info(
            "log_cleaned",
            log=log.directory,
            end=done.end,
            keys=len(keys),
            bytes_before=size_before,
            bytes_after=log.size,
        )
        return True

    async def _rewrite_all(self, log: HotLog, keep: Keep) -> int | None:
        """Rewrite what the keys cover; return when the last tombstone in it may go."""
        until_ms: int | None = None
        rest = [each for each in log.sealed if each.base_offset < keep.keys.end]
        while rest:
            made = await self._rewrite(log, rest, keep)
            rest = rest[len(made.replaced) :]
            if made.tombstones_until is not None:
                until_ms = max(until_ms or 0, made.tombstones_until)
        return until_ms

    async def _save(self, log: HotLog, done: Cleaned) -> None:
        path = f"{log.directory}/{CLEANED}"
        await self._in_thread(partial(self._disk.write_file_atomically, path, encode_cleaned(done)))
        self._cleaned[log] = done

    async def _rewrite(self, log: HotLog, segments: Sequence[Segment], keep: Keep) -> Rewritten:
        """Put one segment in the place of the first ones."""
        base = segments[0].base_offset
        steps = rewrite(
            self._disk,
            segments,
            keep,
            bytes_max=SEGMENT_BYTES_FACTOR * log.config.roll.segment_bytes,
            index_interval_bytes=log.config.index_interval_bytes,
        )
        try:
            made = await self._drive(steps)
            bases = tuple(each.base_offset for each in made.replaced)
            intent = Intent(size=made.segment.size, crc=made.crc, bases=bases)
            if made.is_changed:
                await self._in_thread(partial(begin_swap, self._disk, log.directory, intent))
        except EverlogError:
            await self._undo(log, base)
            raise
        if made.is_changed:
            await self._swap(log, made, intent)
        else:
            await self._undo(log, base)
        return made

    async def _undo(self, log: HotLog, base: int) -> None:
        try:
            await self._in_thread(partial(undo_swap, self._disk, log.directory, base))
        except EverlogError as error:
            raise _SwapError(str(error)) from error

    async def _swap(self, log: HotLog, made: Rewritten, intent: Intent) -> None:
        """Let the new segment take the place of the old ones, on the disk and in memory at once."""
        segment = made.segment
        index = segment.index
        assert index is not None, "a segment that was just written has its index"
        try:
            rename_cleaned(self._disk, log.directory, segment.base_offset)
            for each in made.replaced:
                self._indexes.forget(each)
            log.replace_segments(made.replaced, segment)
            content = encode_index(index, segment.summary())
            await self._in_thread(partial(finish_swap, self._disk, log.directory, intent, content))
        except EverlogError as error:
            raise _SwapError(str(error)) from error
        segment.index = None

    async def _drive(self, steps: Generator[None, None, R]) -> R:
        """Take step after step in a thread, with a rest after each."""
        try:
            while True:
                began = self._clock.monotonic()
                done = await self._in_thread(partial(_step, steps))
                if done is not None:
                    value: R = done.value
                    return value
                if self._is_unwanted:
                    raise _UnwantedError("the log is needed for something else")
                await asyncio.sleep((self._clock.monotonic() - began) * REST_SHARE)
        finally:
            steps.close()

    async def _in_thread(self, call: Callable[[], R]) -> R:
        """Call in a thread. Whoever is cancelled meanwhile waits for its end."""
        future = asyncio.get_running_loop().run_in_executor(self._executor, call)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])
            future.exception()
            raise


def _step(steps: Generator[None, None, Any]) -> _Done | None:
    try:
        next(steps)
    except StopIteration as end:
        return _Done(end.value)
    return None
