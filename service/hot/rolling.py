"""Pure: should the active segment be sealed?"""

from dataclasses import dataclass

RELATIVE_OFFSET_MAX = (1 << 31) - 1
"""Index rows hold offsets relative to the base in 32 bits, as Kafka's do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RollLimits:
    """``segment.bytes`` and ``segment.ms``."""

    segment_bytes: int
    segment_ms: int


def must_roll_for(
    limits: RollLimits, *, size: int, batch_size: int, base_offset: int, last_offset: int
) -> bool:
    """Whether a batch has to go to a new segment; an empty segment takes any batch."""
    if size == 0:
        return False
    return (
        size + batch_size > limits.segment_bytes or last_offset - base_offset > RELATIVE_OFFSET_MAX
    )


def is_due(limits: RollLimits, *, first_append_ms: int | None, now_ms: int) -> bool:
    """Whether an active segment is old enough to be sealed without waiting for another append."""
    return first_append_ms is not None and now_ms - first_append_ms >= limits.segment_ms
