"""The command `everlog` when something is in its way: a silence, a signal, a broker that dies."""

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from everlog.testing import RunningServer, running_server
from tests.integration.command import SECONDS_MAX, Command


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server(num_partitions=2) as running:
        yield running


@pytest.fixture
def everlog(server: RunningServer) -> Command:
    return Command(server.bootstrap)


TO_A_BROKER = [
    ["topic", "list"],
    ["topic", "create", "t"],
    ["group", "list"],
    ["group", "describe", "g"],
    ["group", "seek", "g", "--to", "latest"],
    ["group", "delete", "g", "--yes"],
    ["tier", "status"],
    ["produce", "t"],
    ["consume", "t"],
]


def test_nothing_is_said_to_be_empty_by_a_broker_that_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener, ExitStack() as stack:
        mute = f"127.0.0.1:{listener.getsockname()[1]}"
        command = Command(mute)
        running = [stack.enter_context(command.started(*words)) for words in TO_A_BROKER]
        for words, process in zip(TO_A_BROKER, running, strict=True):
            out, errors = process.communicate(timeout=SECONDS_MAX)
            assert process.returncode == 1, words
            assert out == b""
            assert errors.startswith(f"everlog: {mute} takes connections and does not".encode())


def _next_line(process: "subprocess.Popen[bytes]") -> bytes:
    assert process.stdout is not None
    return process.stdout.readline()


def test_following_ends_cleanly_with_ctrl_c(everlog: Command) -> None:
    everlog.out("produce", "followed", stdin=b"one\n")
    with everlog.started("consume", "followed", "--follow") as process:
        assert _next_line(process) == b"one\n"
        everlog.out("produce", "followed", stdin=b"two\n")
        assert _next_line(process) == b"two\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
    assert process.returncode == 0
    assert errors == b""
