"""Ports for servers that come back under the same address.

A port that the system names is taken out of the range that it also names ports for outgoing
connections from. While a server is down, somebody's connection can be given its port; a client that
keeps trying to reach it can even be given that very port, and is then connected with itself. Below
that range a port stays free until a server asks for it.
"""

import os
import random
import socket

PORTS = range(10_000, 30_000)
"""Below the outgoing ones of Linux (from 32768) and of macOS and Windows (from 49152)."""

SLICES = 16
"""Test processes that may run side by side (pytest-xdist) without asking for the same port."""


class NoFreePortError(RuntimeError):
    """Somebody listens on every port that might have been given."""


class PortSlice:
    """The ports that one process gives out: each once, and then round again.

    Args:
        number: Of the process among those that run side by side; None if nobody has said.
        chooser: Says where to begin, so that runs which know nothing of each other do not meet.
    """

    def __init__(self, number: int | None, *, chooser: random.Random) -> None:
        size = len(PORTS) // SLICES
        first = (chooser.randrange(SLICES) if number is None else number % SLICES) * size
        self.ports = PORTS[first : first + size]
        self._next = chooser.randrange(size)

    def free_port(self) -> int:
        """Return a port of this machine that nobody has.

        Raises:
            NoFreePortError: All of them are taken.
        """
        for _ in self.ports:
            port = self.ports[self._next]
            self._next = (self._next + 1) % len(self.ports)
            if _is_free(port):
                return port
        raise NoFreePortError(f"no free port from {self.ports[0]} to {self.ports[-1]}")


def worker_number(name: str) -> int | None:
    """Return the number in pytest-xdist's name of a worker, such as ``gw3``; None without one."""
    digits = name.removeprefix("gw")
    return int(digits) if digits.isdecimal() else None


_OF_THIS_PROCESS = PortSlice(
    worker_number(os.environ.get("PYTEST_XDIST_WORKER", "")), chooser=random.SystemRandom()
)


def free_port() -> int:
    """Return a port for a server of this process; see `PortSlice.free_port`."""
    return _OF_THIS_PROCESS.free_port()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: what is left of old connections is nobody.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
