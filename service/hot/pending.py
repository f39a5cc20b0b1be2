"""What a log has given a place and nobody has written yet."""

from collections.abc import Iterable

from service.hot.descriptors import Descriptors
from service.hot.segment import Segment
from service.hot.writes import Seal, Write
from service.model.disk import Buffer


class PendingSteps:
    """Writes and seals in the order in which they have to happen."""

    def __init__(self, descriptors: Descriptors) -> None:
        self._descriptors = descriptors
        self._steps: list[Write | Seal] = []
        self._size = 0

    def __bool__(self) -> bool:
        return bool(self._steps)

    def write(self, segment: Segment, batch: Buffer, size: int) -> None:
        """Add a batch behind everything that the segment holds so far."""
        last = self._steps[-1] if self._steps else None
        if not (isinstance(last, Write) and last.segment is segment):
            is_new = segment.size == 0
            if is_new:
                self._descriptors.create(segment.path)
            file = self._descriptors.pin(segment.path)
            last = Write(segment, file, segment.size, is_new=is_new)
            self._steps.append(last)
        last.buffers.append(batch)
        last.size += size
        self._size += size

    def seal(self, seal: Seal) -> None:
        """Add the seal of a segment whose last write has been added."""
        self._steps.append(seal)

    def take(self) -> tuple[list[Write | Seal], int]:
        """Hand over all of it; return the steps and the bytes to write."""
        taken = self._steps, self._size
        self._steps, self._size = [], 0
        return taken

    def drop(self, others: Iterable[Write | Seal]) -> None:
        """Forget all of it, and let go of its files and of those of other steps."""
        for step in (*others, *self._steps):
            self._descriptors.unpin(step.file)
        self.take()
