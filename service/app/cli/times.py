"""Times and durations: what people write and what they read. All times are UTC."""

import re
from datetime import UTC, datetime

FOR_EVER = -1
"""A duration without an end, as in ``retention.ms``."""

_UNITS_MS = {
    "ms": 1,
    "s": 1000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
}
_DURATION = re.compile(r"(\d+)(ms|s|m|h|d|w)")
_EPOCH_MS = re.compile(r"\d{11,}")
_NAMES = (("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000), ("second", 1000))


def duration_ms(text: str) -> int | None:
    """Read ``90s``, ``3h`` or ``1d12h``; None if it is no duration."""
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(int(number) * _UNITS_MS[unit] for number, unit in parts)


def instant_ms(text: str, *, now_ms: int) -> int | None:
    """Read a time; None if it is none.

    Args:
        text: ``2024-01-01``, ``2024-01-01T12:30:00``, with a zone or in UTC; ``-3h`` before now;
            milliseconds since 1970, of eleven digits or more.
        now_ms: Wall clock.
    """
    if text.startswith("-"):
        ago = duration_ms(text[1:])
        return None if ago is None else now_ms - ago
    if _EPOCH_MS.fullmatch(text):
        return int(text)
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return round(when.timestamp() * 1000)


def instant_text(timestamp_ms: int | None) -> str:
    """Write a time to the second; ``-`` for one that is not known."""
    if timestamp_ms is None or timestamp_ms < 0:
        return "-"
    try:
        when = datetime.fromtimestamp(timestamp_ms / 1000, UTC)
    except (ValueError, OverflowError, OSError):  # beyond what a date can be
        return f"{timestamp_ms} ms"
    return when.strftime("%Y-%m-%d %H:%M:%S")


def duration_text(milliseconds: int) -> str:
    """Write a duration in its largest whole unit: ``for ever``, ``1 day``, ``90 minutes``."""
    if milliseconds == FOR_EVER:
        return "for ever"
    for name, unit in _NAMES:
        count, rest = divmod(milliseconds, unit)
        if count and not rest:
            return f"{count:,} {name}" if count == 1 else f"{count:,} {name}s"
    return f"{milliseconds:,} ms"


def age_text(milliseconds: int) -> str:
    """Write how long something lasts, roughly: ``12 seconds``, ``5 minutes``, ``3 hours``."""
    for name, unit in _NAMES:
        count = milliseconds // unit
        if count:
            return f"{count:,} {name}" if count == 1 else f"{count:,} {name}s"
    return "second"
