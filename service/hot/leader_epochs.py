"""History of leader epochs: which term began at which offset.

Strictly rising in both columns (REL-T5). Batches carry their epoch, so the file is written when a
segment is sealed, and what came later is read back from the batches behind the last seal. A term
without a batch leaves no row; its end equals the end of the term before it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from struct import Struct

from everlog.model.errors import CorruptionError
from everlog.model.offsets import LeaderEpoch, Offset
from service.hot.checked_file import with_checksum, without_checksum

_MAGIC = b"EVLE"
_ROW = Struct("<Iq")


class LeaderEpochs:
    """Rows of (epoch, start offset)."""

    def __init__(self, rows: list[tuple[int, int]] | None = None) -> None:
        self._epochs = [epoch for epoch, _ in rows or ()]
        self._starts = [start for _, start in rows or ()]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(zip(self._epochs, self._starts, strict=True))

    @property
    def latest(self) -> LeaderEpoch | None:
        """The newest term that wrote something."""
        return LeaderEpoch(self._epochs[-1]) if self._epochs else None

    def note(self, epoch: int, start: int) -> None:
        """Take note that a batch of ``epoch`` begins at ``start``; the batches come in order."""
        if self._epochs and epoch <= self._epochs[-1]:
            assert epoch == self._epochs[-1], "a leader epoch went backward"
            return
        self._epochs.append(epoch)
        self._starts.append(start)

    def epoch_of(self, offset: int) -> LeaderEpoch | None:
        """Return the term in which ``offset`` was written."""
        row = bisect_right(self._starts, offset) - 1
        return LeaderEpoch(self._epochs[row]) if row >= 0 else None

    def end_of(self, epoch: int, *, log_end: int) -> tuple[LeaderEpoch, Offset] | None:
        """Return the greatest known term up to ``epoch`` and where it ended (KIP-279).

        None when every known term is newer.
        """
        row = bisect_right(self._epochs, epoch) - 1
        if row < 0:
            return None
        end = self._starts[row + 1] if row + 1 < len(self._starts) else log_end
        return LeaderEpoch(self._epochs[row]), Offset(end)

    def truncate(self, end: int) -> bool:
        """Forget terms that began at or after ``end``; return whether there were any."""
        keep = bisect_left(self._starts, end)
        has_later = keep < len(self._starts)
        del self._epochs[keep:]
        del self._starts[keep:]
        return has_later


def encode_epochs(epochs: LeaderEpochs) -> bytes:
    """Write the file ``leader-epochs`` (layout: docs/formats.md)."""
    body = _MAGIC + b"".join(_ROW.pack(epoch, start) for epoch, start in epochs)
    return with_checksum(body)


def decode_epochs(content: bytes) -> LeaderEpochs:
    """Read what `encode_epochs` wrote.

    Raises:
        CorruptionError: The file is damaged.
    """
    body = without_checksum(content, bytes_min=len(_MAGIC), name="file leader-epochs")
    rows = body[len(_MAGIC) :]
    if body[: len(_MAGIC)] != _MAGIC or len(rows) % _ROW.size:
        raise CorruptionError("the file leader-epochs is of another kind")
    return LeaderEpochs(list(_ROW.iter_unpack(rows)))
