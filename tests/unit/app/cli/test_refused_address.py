"""An address that cannot be bound is explained by what to write instead."""

import errno
import os
import socket

import pytest

from service.app.cli.refused_address import explain
from service.model.network import CannotListenError


@pytest.mark.parametrize(
    ("error", "problem", "advice"),
    [
        (socket.gaierror(-2, "no"), "the name h does not resolve", "give --port an address of"),
        (OSError(errno.EADDRNOTAVAIL, "no"), "h is no address of this machine", "for all of them"),
        (OSError(errno.EACCES, "no"), "may not listen on h:80", "a port from 1024 up with --port"),
        (OSError(errno.ENOBUFS, "no room"), "cannot be listened on: no room", "another address"),
    ],
)
def test_each_refusal_says_what_to_write(error: OSError, problem: str, advice: str) -> None:
    found = explain(CannotListenError("h", 80, error), setting="--port")
    assert problem in found[0]
    assert advice in found[1]


def test_the_process_that_has_the_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error = CannotListenError("127.0.0.1", port, OSError(errno.EADDRINUSE, "in use"))
        problem, advice = explain(error, setting="listeners")
    assert f"port {port} is taken by pid {os.getpid()} " in problem
    assert advice == "stop that process, or choose another port with listeners"
