"""What Linux tells of a thread that waits for a processor."""

import os

from typing_extensions import override

from service.model.processor import Processor, ProcessorWaits

_SCHEDSTAT = "/proc/thread-self/schedstat"
"""Nanoseconds on a processor, nanoseconds ready and waiting for one, turns (proc(5))."""

_BYTES_MAX = 96


class SystemProcessor(Processor):
    """Reads the statistics of the thread that made it, by which alone it is asked."""

    def __init__(self) -> None:
        try:
            self._file = os.open(_SCHEDSTAT, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # another system, or a kernel without these statistics
            self._file = -1

    @override
    def waits(self) -> ProcessorWaits | None:
        if self._file < 0:
            return None
        _, waited_ns, times = os.pread(self._file, _BYTES_MAX, 0).split()
        return ProcessorWaits(int(waited_ns) / 1e9, int(times))
