"""Starts the transfer process, and ends it."""

import asyncio
import socket
import sys
from contextlib import suppress

from service.tiering.worker.supervisor import WorkerProcess

CHANNEL_BYTES_MAX = 4 << 20
"""Of answers that were received and not yet read."""


class _LaunchedWorker:
    """A `WorkerProcess`."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._process = process
        self.pid = process.pid
        self.reader = reader
        self.writer = writer

    async def ended(self) -> int:
        return await self._process.wait()

    def kill(self) -> None:
        if self._process.returncode is None:
            with suppress(ProcessLookupError):  # it has gone while this loop was busy
                self._process.kill()


async def launch_worker(url: str, probe: str, log_level: str, log_format: str) -> WorkerProcess:
    """Start a transfer process for a store; it logs as the broker does.

    With an empty ``probe`` it refuses everything that would change the store.

    It inherits its end of the channel and nothing else, no lock above all, and is in a session of
    its own, so that a Ctrl-C meant for the broker does not end it in the middle of an upload.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "service.app.transfer_worker"),
            *(str(theirs.fileno()), url, probe, log_level, log_format),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
    reader, writer = await asyncio.open_unix_connection(sock=ours, limit=CHANNEL_BYTES_MAX)
    return _LaunchedWorker(process, reader, writer)
