"""Ports that nobody listens on."""

import socket


def free_port() -> int:
    """Let the kernel name one; it stays free unless somebody else is given it meanwhile."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
