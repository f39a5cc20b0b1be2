"""The command `everlog` when something is in its way: a silence, a signal, a broker that dies."""

import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

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
        command = Command(mute, EVERLOG_TIMEOUT_SECONDS="2")
        running = [stack.enter_context(command.started(*words)) for words in TO_A_BROKER]
        for words, process in zip(TO_A_BROKER, running, strict=True):
            out, errors = process.communicate(timeout=SECONDS_MAX)
            assert process.returncode == 1, words
            assert out == b""
            assert errors.startswith(f"everlog: {mute} takes connections and does not".encode())


def test_a_broker_that_stops_answering_is_no_empty_one(server: RunningServer) -> None:
    with silent_after_greeting(server.bootstrap) as bootstrap, ExitStack() as stack:
        command = Command(bootstrap, EVERLOG_TIMEOUT_SECONDS="4")
        words = (["group", "list"], ["topic", "create", "t"])
        for process in [stack.enter_context(command.started(*each)) for each in words]:
            out, errors = process.communicate(timeout=SECONDS_MAX)
            assert (process.returncode, out) == (1, b"")
            assert errors.startswith(f"everlog: {bootstrap} did not answer in time".encode())


@contextmanager
def silent_after_greeting(bootstrap: str) -> Iterator[str]:
    """Stand before a broker, and let the first answer of each connection through and no other."""
    host, port = bootstrap.split(":")

    def serve(theirs: socket.socket) -> None:
        with theirs, socket.create_connection((host, int(port))) as broker:
            broker.sendall(theirs.recv(65536))
            theirs.sendall(broker.recv(65536))
            while theirs.recv(65536):
                pass

    def accept() -> None:
        with suppress(OSError):  # the listener is closed
            while True:
                threading.Thread(target=serve, args=listener.accept()[:1], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


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


def test_an_unfinished_read_says_by_its_status_that_it_was_stopped(everlog: Command) -> None:
    everlog.out("produce", "unfinished", stdin=b"x" * 1000 + b"\n" + b"a line\n" * 100_000)
    with everlog.started("consume", "unfinished") as process:
        assert _next_line(process)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
    assert process.returncode == 130
    assert errors == b""


def test_a_member_that_is_told_to_end_leaves_its_group(everlog: Command) -> None:
    everlog.out("produce", "left", stdin=b"one\n")
    with everlog.started("consume", "left", "--group", "leavers", "--follow") as process:
        assert _next_line(process) == b"one\n"
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate()
    assert process.returncode == 0
    assert errors == b""
    assert everlog.facts("group", "describe", "leavers")["members"] == 0


def test_a_writer_that_is_stopped_says_what_it_has_written(everlog: Command) -> None:
    everlog.out("topic", "create", "stopped")
    with everlog.started("produce", "stopped") as process:
        assert process.stdin is not None
        process.stdin.write(b"one\n" * 1000)
        process.stdin.flush()
        everlog.out("consume", "stopped", "--follow", "--limit", "1")  # it has begun
        process.send_signal(signal.SIGTERM)
        out, errors = process.communicate()
    assert process.returncode == 130
    assert out.startswith(b"stopped  ")
    assert errors == b""


@pytest.mark.parametrize(
    ("typed", "status", "words"),
    [(b"\x03", 130, b""), (b"\x04", 1, b"nothing was deleted"), (b"y\n", 0, b"deleted asked")],
    ids=["Ctrl-C", "Ctrl-D", "yes"],
)
def test_a_deletion_asks_on_a_terminal(
    everlog: Command, typed: bytes, status: int, words: bytes
) -> None:
    if not any(each["topic"] == "asked" for each in everlog.facts("topic", "list")):
        everlog.out("topic", "create", "asked")
    answer = (b"[y/N]: ", typed)
    shown = everlog.on_terminal("topic", "delete", "asked", answer=answer, status=status)
    assert words in shown
    assert (b"everlog: " in shown) == (status == 1)


def test_what_is_typed_is_not_drawn_over(everlog: Command) -> None:
    answer = (b"Ctrl-D ends", b"one\ntwo\n\x04")
    shown = everlog.on_terminal("produce", "typed", answer=answer)
    assert b"2 records" in shown
    assert b"producing" not in shown


def test_a_reading_outlives_its_broker_and_says_what_it_waits_for() -> None:
    with running_server(num_partitions=1) as server:
        everlog = Command(server.bootstrap)
        everlog.out("produce", "kept", stdin=b"one\n")
        with everlog.started("consume", "kept", "--follow") as process:
            assert _next_line(process) == b"one\n"
            server.kill()
            assert process.stderr is not None
            assert b"waiting for" in process.stderr.readline()
            server.start()
            assert b"answers again" in process.stderr.readline()
            everlog.out("produce", "kept", stdin=b"two\n")
            assert _next_line(process) == b"two\n"


@pytest.mark.parametrize("member", [[], ["--group", "mourners"]], ids=["alone", "in a group"])
def test_a_topic_that_is_deleted_ends_its_reading(everlog: Command, member: list[str]) -> None:
    everlog.out("produce", "doomed", stdin=b"one\n")
    with everlog.started("consume", "doomed", "--follow", *member) as process:
        assert _next_line(process) == b"one\n"
        everlog.out("topic", "delete", "doomed", "--yes")
        _, errors = process.communicate()
    assert process.returncode == 1
    assert errors == b"everlog: topic doomed is gone: it was deleted while it was read\n"


def test_a_refused_record_is_named_by_its_line_and_its_limit(everlog: Command) -> None:
    everlog.out("topic", "create", "narrow", "-p", "1", "-c", "max.message.bytes=2000")
    done = everlog.run("produce", "narrow", stdin=b"short\n" * 1000 + b"x" * 3000 + b"\n")
    assert done.returncode == 1
    assert b"line 1,001 has 3,000 bytes; narrow takes at most 2,000" in done.stderr
    assert b"narrow  1,000 records" in done.stdout


def test_a_partition_that_is_not_there_is_refused_before_anything_is_sent(
    everlog: Command,
) -> None:
    everlog.out("topic", "create", "few", "-p", "1")
    text = everlog.refusal("produce", "few", "-p", "77", status=1)
    assert text == "everlog: few has no partition 77; its last one is 0\n"


def test_a_compacted_topic_asks_for_keys(everlog: Command) -> None:
    everlog.out("topic", "create", "latest", "-c", "cleanup.policy=compact")
    assert "--key-sep" in everlog.refusal("produce", "latest", status=1)
    done = everlog.run("produce", "latest", "--key-sep", ":", stdin=b"a:1\nno key\n")
    assert b"line 2 has no key, and latest is compacted" in done.stderr


def test_an_empty_answer_says_where_the_log_ends(everlog: Command) -> None:
    everlog.out("topic", "create", "ended", "-p", "1")
    assert everlog.run("consume", "ended").stderr == (
        b"everlog: nothing to read: ended has no records\n"
    )
    everlog.out("produce", "ended", stdin=b"one\n")
    done = everlog.run("consume", "ended", "--from", "5000")
    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr == b"everlog: nothing to read: ended/0 ends at 1\n"


def test_a_group_that_is_read_in_is_not_deleted(everlog: Command) -> None:
    everlog.out("produce", "busy", stdin=b"one\n")
    with everlog.started("consume", "busy", "--group", "workers", "--follow") as process:
        assert _next_line(process) == b"one\n"
        text = everlog.refusal("group", "delete", "workers", "--yes", status=1)
        assert "has 1 member: everlog-cli at 127.0.0.1; stop them first" in text


def test_a_move_beyond_the_end_is_said_to_end_there(everlog: Command) -> None:
    everlog.out("topic", "create", "short", "-p", "1")
    everlog.out("produce", "short", stdin=b"one\n")
    everlog.out("consume", "short", "--group", "movers")
    words = ["group", "seek", "movers", "--to", "999999"]
    assert everlog.out(*words) == b"short/0  1 -> 1  (999,999 is beyond the end)\n"
    assert everlog.facts(*words)["partitions"][0]["clamped"]
