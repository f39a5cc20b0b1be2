"""What a log offers to whoever reads it, whichever tier the bytes come from."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Protocol

from everlog.format.segment_sections import AbortedTransaction
from everlog.model.errors import RejectedError, RetriableError
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.records.slicing import Missing, cut_batches
from service.model.disk import Buffer


class OffsetOutOfRangeError(RejectedError):
    """The log does not hold the asked-for offset."""

    def __init__(self, offset: int, start: int, end: int) -> None:
        super().__init__(f"offset {offset} is outside [{start}, {end}]")
        self.offset = offset


class LogFailedError(RetriableError):
    """The log has met a disk error and serves nothing until it is opened again."""


@dataclass(frozen=True, slots=True)
class LogSlice:
    """Whole record batches, the first of which holds the asked-for offset or comes after it.

    Attributes:
        records: The bytes as they were produced; empty when there is nothing below the bound.
        aborted: For a committed reader, the aborted transactions that the batches may be part of,
            by their first offsets, and perhaps some that begin soon after.
    """

    records: Buffer
    aborted: Sequence[AbortedTransaction] = ()

    def __len__(self) -> int:
        return len(self.records)


EMPTY_SLICE = LogSlice(b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBounds:
    """How much one read may return.

    Attributes:
        end: Exclusive bound: high watermark, last stable offset, or log end, by who asks.
        bytes_max: Soft limit on the bytes.
        at_least_one: Whether a first batch larger than ``bytes_max`` is returned all the same
            (KIP-74).
        committed: Whether the reader leaves out what aborted transactions have written, so that the
            slice has to name them (KIP-98).
    """

    end: Offset
    bytes_max: int
    at_least_one: bool
    committed: bool = False

    def cut(self, data: Buffer, offset: int, *, ends_at_end: bool = False) -> Buffer | Missing:
        """Cut the batches from ``offset`` on out of ``data``, as `cut_batches` does."""
        return cut_batches(
            data,
            offset,
            end=self.end,
            bytes_max=self.bytes_max,
            at_least_one=self.at_least_one,
            ends_at_end=ends_at_end,
        )


@dataclass(frozen=True, slots=True)
class TimestampOffset:
    """A place found by time: the first record at or after it.

    Attributes:
        leader_epoch: The term in which it was written; None when it is not known.
    """

    timestamp_ms: int
    offset: Offset
    leader_epoch: LeaderEpoch | None


class LogReader(Protocol):
    """A readable log: the hot one, the cold one, and the one made of both."""

    @property
    def start(self) -> Offset:
        """First offset that this log can serve."""
        ...

    @property
    def end(self) -> Offset:
        """Offset after the last one that this log can serve."""
        ...

    def read(self, offset: Offset, bounds: ReadBounds) -> LogSlice | Awaitable[LogSlice]:
        """Return batches from ``offset`` on: at once when they are at hand, else to be awaited.

        Raises:
            OffsetOutOfRangeError: The offset is outside ``[start, end]``.
        """
        ...

    def newest_timestamp(self) -> Awaitable[int | None]:
        """Return the greatest timestamp of all records; None when there is none."""
        ...

    def find_time(self, timestamp_ms: int, end: Offset) -> Awaitable[TimestampOffset | None]:
        """Find the first record below ``end`` whose timestamp is at or after ``timestamp_ms``."""
        ...
