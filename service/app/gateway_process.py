"""Starts the gateway beside a broker, and starts it again when it ends."""

import asyncio
import errno
import os
import socket
import sys
import time
from contextlib import suppress

import structlog

from service.model.network import CannotListenError

RESTART_SECONDS = 1.0
STOP_SECONDS_MAX = 3.0

LEAVING_SECONDS_MAX = 2.0
"""A gateway sees the end of its owner at once, and lets the port go within so long."""

LEAVING_LOOKS = 100

_log = structlog.get_logger(__name__)


class GatewayProcess:
    """The gateway as a child process; the socket is the parent's, so no restart loses the port.

    Args:
        logs: Level and format of its log.
    """

    def __init__(self, host: str, port: int, *, logs: tuple[str, str]) -> None:
        """Bind the port.

        Raises:
            CannotListenError: It cannot be bound.
        """
        self._socket = _bound(host, port)
        self._logs = logs
        self._socket.setblocking(False)  # noqa: FBT003  (the library's own signature)
        self.port: int = self._socket.getsockname()[1]

    async def run(self, bootstrap: str, admin: str) -> None:
        """Keep a gateway running until cancelled.

        Args:
            bootstrap: Where Kafka clients connect, ``host:port``.
            admin: Where the broker's own pages are, ``host:port``.
        """
        while True:
            await self._run_once(bootstrap, admin)
            _log.error("gateway_ended", advice="it is started again")
            await asyncio.sleep(RESTART_SECONDS)

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()

    async def _run_once(self, bootstrap: str, admin: str) -> None:
        # The child sees the end of this pipe when the parent is gone, however it went.
        owner, ours = os.pipe()
        log_level, log_format = self._logs
        descriptors = (self._socket.fileno(), owner)
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "service.app.gateway_main",
                f"--socket-fd={self._socket.fileno()}",
                f"--owner-fd={owner}",
                f"--bootstrap={bootstrap}",
                f"--admin={admin}",
                f"--log-level={log_level}",
                f"--log-format={log_format}",
                pass_fds=descriptors,
                stdin=asyncio.subprocess.DEVNULL,
                # A Ctrl-C is meant for the owner, whose end this process sees by the pipe.
                start_new_session=True,
            )
        finally:
            os.close(owner)
        try:
            await process.wait()
        finally:
            os.close(ours)
            if process.returncode is None:
                await _end(process)


def _bound(host: str, port: int) -> socket.socket:
    """Bind a port, which the gateway of a broker that was just killed may still have."""
    for looks_left in range(LEAVING_LOOKS, -1, -1):
        try:
            return socket.create_server((host, port), backlog=128)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or not looks_left:
                raise CannotListenError(host, port, error) from error
        time.sleep(LEAVING_SECONDS_MAX / LEAVING_LOOKS)
    raise AssertionError("the last look returns or raises")


async def _end(process: asyncio.subprocess.Process) -> None:
    """Give it a moment to leave by itself."""
    try:
        async with asyncio.timeout(STOP_SECONDS_MAX):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):  # it has gone while this loop was busy
            process.kill()
        await process.wait()
