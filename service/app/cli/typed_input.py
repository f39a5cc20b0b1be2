"""Standard input whose reader is woken by Ctrl-C, whenever it comes."""

import io
import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from typing_extensions import Buffer, override

READ_BYTES = 1 << 16
WOKEN_BYTES = 64


@contextmanager
def heeding_signals(source: IO[bytes]) -> Iterator[IO[bytes]]:
    """Read the source as a stream that no signal escapes; for the main thread.

    A plain read begins after Python has looked for signals. One that comes in between interrupts
    nothing, and its handler waits for the next line.
    """
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    before = signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    try:
        yield io.BufferedReader(_Woken(source.fileno(), woken), READ_BYTES)
    finally:
        signal.set_wakeup_fd(before)
        os.close(wakes)
        os.close(woken)


class _Woken(io.RawIOBase):
    """Reads a descriptor when there is something, and lets Python look for signals until then."""

    def __init__(self, descriptor: int, woken: int) -> None:
        self._descriptor = descriptor
        self._woken = woken

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Buffer, /) -> int:
        while self._woken in select.select((self._descriptor, self._woken), (), ())[0]:
            os.read(self._woken, WOKEN_BYTES)
        return os.readv(self._descriptor, (buffer,))
