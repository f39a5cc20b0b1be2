"""Pure: which local segments may be released, which records have expired."""

from collections.abc import Iterable
from dataclasses import dataclass

from everlog.format.retention import Cut
from everlog.model.offsets import Offset


@dataclass(frozen=True, slots=True)
class LocalSegment:
    """A sealed segment on this disk; ``max_timestamp`` is in ms, negative without one."""

    base: int
    end: int
    size: int
    max_timestamp: int


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how much is kept; None is without limit."""

    keep_ms: int | None
    keep_bytes: int | None


UNLIMITED = Limits(None, None)


def expired_before(
    segments: Iterable[LocalSegment], limits: Limits, *, size: int, end: Offset, now_ms: int
) -> Offset | None:
    """Return the offset below which segments have outlived their limits; None when none has.

    Args:
        segments: The sealed ones, oldest first. They go in order: one that stays keeps all after
            it.
        limits: By age, of the newest record in a segment, and by bytes of the whole log.
        size: Bytes of the whole log, the active segment included.
        end: No segment that ends above it goes.
        now_ms: The time.
    """
    before: Offset | None = None
    for segment in segments:
        is_old = (
            limits.keep_ms is not None
            and segment.max_timestamp >= 0
            and segment.max_timestamp < now_ms - limits.keep_ms
        )
        is_surplus = limits.keep_bytes is not None and size - segment.size >= limits.keep_bytes
        if segment.end > end or not (is_old or is_surplus):
            break
        before = Offset(segment.end)
        size -= segment.size
    return before


def tier_cut(limits: Limits, *, log_start: Offset, untiered_bytes: int, now_ms: int) -> Cut:
    """Return what expires of a tier.

    Args:
        limits: Of the topic, over both tiers.
        log_start: Everything below it has been deleted.
        untiered_bytes: Local bytes that are not in the tier yet; they count, too.
        now_ms: The time.
    """
    keep_bytes = limits.keep_bytes
    return Cut(
        start=log_start,
        before_ms=None if limits.keep_ms is None else now_ms - limits.keep_ms,
        data_bytes_max=None if keep_bytes is None else max(0, keep_bytes - untiered_bytes),
    )
