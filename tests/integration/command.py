"""The command `everlog` as a test runs it: against one server, through a pipe or on a terminal."""

import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAM = str(Path(sys.executable).with_name("everlog"))
ESCAPE = b"\x1b"
SECONDS_MAX = 60

# What a shell starts in the background ignores SIGINT, and so would everything below it. A terminal
# sends it to those that it controls.
HEED_SIGINT = """
import fcntl, os, signal, sys, termios
signal.signal(signal.SIGINT, signal.SIG_DFL)
if sys.stdin.isatty():
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


class Command:
    """Runs the command against one server."""

    def __init__(self, bootstrap: str, **environment: str) -> None:
        self.environment = {**os.environ, "EVERLOG_BOOTSTRAP": bootstrap, **environment}

    def run(self, *words: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            [PROGRAM, *words],
            input=stdin,
            capture_output=True,
            env=self.environment,
            timeout=SECONDS_MAX,
            check=False,
        )

    def out(self, *words: str, stdin: bytes = b"") -> bytes:
        done = self.run(*words, stdin=stdin)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def facts(self, *words: str, stdin: bytes = b"") -> Any:
        return json.loads(self.out(*words, "-o", "json", stdin=stdin))

    def refusal(self, *words: str, status: int) -> str:
        done = self.run(*words)
        assert done.returncode == status, done.stderr.decode()
        assert done.stdout == b""
        text = done.stderr.decode()
        assert text.startswith("everlog: ")
        assert text.count("\n") == 1, "an error is one line"
        return text

    @contextmanager
    def started(self, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
        """Run it beside the test, heeding signals; it is ended if the test takes too long."""
        with subprocess.Popen(
            [sys.executable, "-c", HEED_SIGINT, PROGRAM, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment,
        ) as process:
            deadline = threading.Timer(SECONDS_MAX, process.kill)
            deadline.start()
            try:
                yield process
            finally:
                deadline.cancel()
                process.kill()

    def on_terminal(
        self,
        *words: str,
        answer: tuple[bytes, bytes] | None = None,
        columns: int = 120,
        status: int = 0,
    ) -> bytes:
        """Run it on a terminal of its own, and return what is shown there.

        Args:
            words: Of the command line.
            answer: What to wait for on the terminal, and what to type then.
            columns: Of the terminal.
            status: What it has to end with.
        """
        ours, theirs = pty.openpty()
        try:
            process = subprocess.Popen(
                [sys.executable, "-c", HEED_SIGINT, PROGRAM, *words],
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                env={**self.environment, "TERM": "xterm-256color", "COLUMNS": str(columns)},
                start_new_session=True,
            )
            os.close(theirs)
            shown = b""
            if answer is not None:
                shown = _drain(ours, until=answer[0])
                os.write(ours, answer[1])
            shown += _drain(ours)
            assert process.wait(SECONDS_MAX) == status, shown
            return shown
        finally:
            os.close(ours)


def _drain(descriptor: int, *, until: bytes | None = None) -> bytes:
    shown = b""
    while until is None or until not in shown:
        try:
            part = os.read(descriptor, 65536)
        except OSError:  # the other end is closed
            return shown
        if not part:
            return shown
        shown += part
    return shown
