"""Places in a log, as ``--from`` and ``--to`` say them: pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from service.app.cli.times import instant_ms

PLACES = "earliest, latest, an offset, -100 (so many from the end), @2024-01-01, @-3h"


class Edge(Enum):
    """An end of the log."""

    EARLIEST = "earliest"
    LATEST = "latest"


@dataclass(frozen=True, slots=True)
class AtOffset:
    """An offset."""

    offset: int


@dataclass(frozen=True, slots=True)
class FromEnd:
    """So many records before the end of each partition."""

    records: int


@dataclass(frozen=True, slots=True)
class AtTime:
    """The first record at or after a time."""

    timestamp_ms: int


Place = Edge | AtOffset | FromEnd | AtTime

_EDGES = {
    "earliest": Edge.EARLIEST,
    "beginning": Edge.EARLIEST,
    "start": Edge.EARLIEST,
    "latest": Edge.LATEST,
    "end": Edge.LATEST,
}
_NAMED_MAX = 4
_NUMBER = re.compile(r"-?\d+")


class UnreadablePlaceError(ValueError):
    """A text that names no place in a log."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} is no place in a log")
        self.text = text


def parse_place(text: str, *, now_ms: int) -> Place:
    """Read a place.

    Raises:
        UnreadablePlaceError: It is none of `PLACES`.
    """
    edge = _EDGES.get(text)
    if edge is not None:
        return edge
    if text.startswith("@"):
        timestamp_ms = instant_ms(text[1:], now_ms=now_ms)
        if timestamp_ms is not None:
            return AtTime(timestamp_ms)
    elif _NUMBER.fullmatch(text):
        number = int(text)
        return FromEnd(-number) if text.startswith("-") else AtOffset(number)
    raise UnreadablePlaceError(text)


def resolve_place(place: Place, *, start: int, end: int, at_time: int | None) -> int:
    """Return the offset that a place is in a partition, within ``[start, end]``.

    Args:
        place: What was asked for.
        start: First offset of the partition.
        end: High watermark.
        at_time: For a time, the first offset at or after it; None if there is no such record.
    """
    match place:
        case Edge.EARLIEST:
            return start
        case Edge.LATEST:
            return end
        case AtOffset(offset):
            return min(max(offset, start), end)
        case FromEnd(records):
            return max(start, end - records)
        case AtTime():
            return end if at_time is None else min(max(at_time, start), end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What is to be read of a partition, ``[begin, stop)``, of what is there, ``[start, end)``."""

    begin: int
    stop: int
    start: int
    end: int


def nothing_text(topic: str, stretches: Mapping[int, Stretch]) -> str:
    """Say why nothing is to be read: where each partition ends, unless it is empty."""
    if all(each.start == each.end for each in stretches.values()):
        return f"nothing to read: {topic} has no records"
    if any(each.begin < each.end for each in stretches.values()):
        return "nothing to read: --to is not after --from"
    ends = [f"{topic}/{number} ends at {each.end:,}" for number, each in stretches.items()]
    more = f" and {len(ends) - _NAMED_MAX} more" if len(ends) > _NAMED_MAX else ""
    return f"nothing to read: {', '.join(ends[:_NAMED_MAX])}{more}"


def clamped_text(place: Place, *, start: int, end: int) -> str | None:
    """Say where an offset lies that a partition does not have; None if it has it."""
    if not isinstance(place, AtOffset) or start <= place.offset <= end:
        return None
    if place.offset > end:
        return f"{place.offset:,} is beyond the end"
    return f"{place.offset:,} is before the start"
