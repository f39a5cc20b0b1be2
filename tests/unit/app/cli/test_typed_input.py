"""Standard input, whose reader is woken by Ctrl-C."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import IO

import pytest

from service.app.cli.typed_input import heeding_signals

SECONDS = 0.1


@pytest.fixture
def pipe() -> Iterator[tuple[IO[bytes], int]]:
    ours, theirs = os.pipe()
    with os.fdopen(ours, "rb", buffering=0) as source:
        yield source, theirs


def test_lines_come_as_they_are(pipe: tuple[IO[bytes], int]) -> None:
    source, typed = pipe
    os.write(typed, b"one\ntwo\nthree")
    os.close(typed)
    with heeding_signals(source) as lines:
        assert list(lines) == [b"one\n", b"two\n", b"three"]


def test_a_signal_that_interrupts_no_read_ends_the_wait(pipe: tuple[IO[bytes], int]) -> None:
    source, typed = pipe

    def strike() -> None:
        time.sleep(SECONDS)
        # The kernel interrupts the calls of the thread that takes it: this one, and not the reader.
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    other = threading.Thread(target=strike)
    rescue = threading.Timer(30, os.write, (typed, b"nobody woke the reader\n"))
    try:
        rescue.start()
        other.start()
        with heeding_signals(source) as lines, pytest.raises(KeyboardInterrupt):
            lines.readline()
    finally:
        rescue.cancel()
        other.join()
        signal.signal(signal.SIGINT, before)
        os.close(typed)


def test_a_signal_whose_handler_returns_costs_no_line(pipe: tuple[IO[bytes], int]) -> None:
    source, typed = pipe
    taken: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _frame: taken.append(number))
    try:
        with heeding_signals(source) as lines:
            signal.raise_signal(signal.SIGUSR1)
            os.write(typed, b"one\n")
            assert lines.readline() == b"one\n"
    finally:
        signal.signal(signal.SIGUSR1, before)
        os.close(typed)
    assert taken == [signal.SIGUSR1]


def test_signals_wake_as_they_did_before(pipe: tuple[IO[bytes], int]) -> None:
    source, typed = pipe
    before = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(before)
    with heeding_signals(source):
        pass
    assert signal.set_wakeup_fd(before) == before
    os.close(typed)
