"""Pure: what compaction keeps of a log, and when there is enough to clean.

A log is clean up to an offset: below it no key occurs twice. A cleaning takes the dirty sealed
segments behind it, notes the last offset of each key in them, and rewrites everything up to there:
a record goes if the same key occurs later in the range, and a tombstone goes once
``delete.retention.ms`` have passed since the first cleaning that saw it (KIP-534). Offsets never
change, nor do the bounds of a batch (the rules: Kafka's ``Cleaner``).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

KEYS_MAX = 500_000
"""Keys that one cleaning takes note of: about 150 bytes each. Kafka's default buffer holds 5 M."""

DIRTY_SEGMENTS_MAX = 64
"""So many are cleaned however small their share is, or idle topics would pile up files."""

_DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class CleaningRules:
    """What the topic's configuration says of its compaction.

    Attributes:
        lag_ms_min: Age that a record has at least before it can be compacted away.
        lag_ms_max: Age that a record has at most when a cleaning first sees it; None for any.
        dirty_ratio_min: Share of the sealed bytes that must be dirty.
        tombstone_ms: How long a tombstone outlives the first cleaning that saw it.
    """

    lag_ms_min: int = 0
    lag_ms_max: int | None = None
    dirty_ratio_min: float = 0.5
    tombstone_ms: int = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """How far a log is clean.

    Attributes:
        end: Every key below it occurs once.
        tombstones_until: When the last tombstone that was left below it may go; None without any.
    """

    end: int = 0
    tombstones_until: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DirtySegment:
    """A sealed segment as the decision sees it.

    Attributes:
        newest_ms: Greatest timestamp of its records.
        first_append_ms: Wall time of the first append.
    """

    end: int
    size: int
    newest_ms: int
    first_append_ms: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is to be done before ``until_ms``; None if only another seal can change that."""

    until_ms: int | None


@dataclass(frozen=True, slots=True)
class Clean:
    """The segments that end by ``end`` are to be cleaned."""

    end: int


def decide(
    rules: CleaningRules,
    cleaned: Cleaned,
    *,
    clean_bytes: int,
    dirty: Sequence[DirtySegment],
    now_ms: int,
) -> Clean | Wait:
    """Whether a log is worth a cleaning now.

    Args:
        rules: Of its topic.
        cleaned: How far it is clean.
        clean_bytes: Size of what is clean.
        dirty: What is sealed, committed and not clean yet, in order.
        now_ms: Wall time.
    """
    ready = list(_old_enough(dirty, rules.lag_ms_min, now_ms))
    times = [each.newest_ms + rules.lag_ms_min for each in dirty[len(ready) : len(ready) + 1]]
    if ready and _is_worth_it(rules, clean_bytes, ready, now_ms):
        return Clean(ready[-1].end)
    if cleaned.tombstones_until is not None:
        if cleaned.tombstones_until <= now_ms:
            return Clean(ready[-1].end if ready else cleaned.end)
        times.append(cleaned.tombstones_until)
    if ready and rules.lag_ms_max is not None:
        times.append(ready[0].first_append_ms + rules.lag_ms_max)
    return Wait(min(times, default=None))


def _old_enough(
    dirty: Sequence[DirtySegment], lag_ms_min: int, now_ms: int
) -> Iterator[DirtySegment]:
    for each in dirty:
        if lag_ms_min and each.newest_ms + lag_ms_min > now_ms:
            return
        yield each


def _is_worth_it(
    rules: CleaningRules, clean_bytes: int, ready: Sequence[DirtySegment], now_ms: int
) -> bool:
    dirty_bytes = sum(each.size for each in ready)
    if rules.lag_ms_max is not None and now_ms - ready[0].first_append_ms >= rules.lag_ms_max:
        return True
    if len(ready) >= DIRTY_SEGMENTS_MAX:
        return True
    return dirty_bytes >= rules.dirty_ratio_min * (clean_bytes + dirty_bytes)


class KeyOffsets:
    """The last offset of each key in a range, in bounded memory.

    Attributes:
        end: Everything below it has been noted.
    """

    def __init__(self, end: int, *, keys_max: int = KEYS_MAX) -> None:
        self.end = end
        self._keys_max = keys_max
        self._offsets: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._offsets)

    @property
    def is_full(self) -> bool:
        """Whether no further batch may be noted."""
        return len(self._offsets) >= self._keys_max

    def note(self, key: bytes, offset: int) -> None:
        """Take note of a record; they come in order."""
        self._offsets[_name_of(key)] = offset

    def is_latest(self, key: bytes, offset: int) -> bool:
        """Whether no later record of the key has been noted."""
        return self._offsets.get(_name_of(key), -1) <= offset


def _name_of(key: bytes) -> bytes:
    """Stand in for a key of any size. Short keys are shorter than any digest, so they differ."""
    return key if len(key) < _DIGEST_BYTES else blake2b(key, digest_size=_DIGEST_BYTES).digest()
