"""Starts ``everlog dev`` for a test on free ports, and stops it again.

    from everlog.testing import running_server

    with running_server(num_partitions=4) as server:
        client = SomeKafkaClient(bootstrap_servers=server.bootstrap)

Nothing of the server is imported: what is tested is what is deployed.
"""

import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from everlog.model.errors import EverlogError
from everlog.testing.ports import free_port

START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 20.0
"""``everlog dev`` stops within 10 s; the rest is for a busy machine."""

LOG_TAIL_LINES = 20

QUICK_SETTINGS: Mapping[str, str] = {"group.initial.rebalance.delay.ms": "0"}
"""What makes tests quick and changes no answer: a first consumer waits for no others."""

_READY = ["everlog", "ready"]


class ServerStartError(EverlogError):
    """The server has ended before it was ready, or did not stop as it promises.

    Attributes:
        log_tail: The last lines of its log.
    """

    def __init__(self, problem: str, log_tail: str) -> None:
        super().__init__(f"{problem}; the end of its log:\n{log_tail}")
        self.log_tail = log_tail


class RunningServer:
    """A server that runs; made by `running_server`.

    Attributes:
        bootstrap: What Kafka clients connect to, ``host:port``; the same after a restart.
        http_url: Where the gateway answers, ``http://host:port``; the same after a restart.
        data_dir: Everything that the server keeps; it outlives `stop`, not the context.
        log_path: The server's log.
    """

    def __init__(self, data_dir: Path, *, log_path: Path, settings: Mapping[str, str]) -> None:
        self.data_dir = data_dir
        self.log_path = log_path
        self.bootstrap = f"127.0.0.1:{free_port()}"
        self.http_url = f"http://127.0.0.1:{free_port()}"
        self._settings = dict(settings)
        self._process: subprocess.Popen[str] | None = None

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The server's process.

        Raises:
            ServerStartError: It has been stopped.
        """
        if self._process is None:
            raise ServerStartError("the server is stopped", self.log_tail())
        return self._process.pid

    def start(self) -> None:
        """Start, always on the same ports, and wait until clients are served.

        Raises:
            ServerStartError: It did not become ready.
        """
        if self.is_running:
            return
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  (our own command)
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._wait_ready()

    def stop(self) -> None:
        """Stop cleanly; nothing happens if it is stopped.

        Raises:
            ServerStartError: It did not stop in time, or not with success.
        """
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash would: it gets no chance to make anything durable."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop, and start again on the same data and the same ports.

        Raises:
            ServerStartError: Either went wrong.
        """
        self.stop()
        self.start()

    def log_tail(self) -> str:
        """Return the last lines of the server's log."""
        if not self.log_path.exists():
            return "(no log)"
        lines = self.log_path.read_text(errors="replace").splitlines()
        return "\n".join(lines[-LOG_TAIL_LINES:])

    def _command(self) -> list[str]:
        program = Path(sys.executable).with_name("everlog")
        command = [str(program), "dev", "--data-dir", str(self.data_dir)]
        command += ["--port", _port_of(self.bootstrap), "--http-port", _port_of(self.http_url)]
        for name, value in self._settings.items():
            command += ["--set", f"{name}={value}"]
        return command

    def _wait_ready(self) -> None:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        deadline = threading.Timer(START_SECONDS_MAX, process.kill)
        deadline.start()
        try:
            for line in process.stdout:
                if line.split()[: len(_READY)] == _READY:
                    return
        finally:
            deadline.cancel()
        status = process.wait()
        self._forget()
        raise ServerStartError(
            f"the server ended with {status} before it was ready", self.log_tail()
        )

    def _end(self, how: signal.Signals) -> None:
        process = self._process
        if process is None:
            return
        process.send_signal(how)
        try:
            status = process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            problem = f"the server did not stop within {STOP_SECONDS_MAX:.0f} s"
            raise ServerStartError(problem, self.log_tail()) from None
        finally:
            self._forget()
        if status not in (0, -signal.SIGKILL):
            raise ServerStartError(f"the server ended with {status}", self.log_tail())

    def _forget(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            stdout: IO[str] | None = process.stdout
            if stdout is not None:
                stdout.close()


@contextmanager
def running_server(data_dir: Path | None = None, /, **settings: object) -> Iterator[RunningServer]:
    """Run a server for the length of a block.

    Args:
        data_dir: Where it keeps everything; None for a temporary directory that goes with it.
        **settings: Those of a broker, with ``_`` for each dot: ``num_partitions=4``. They hold
            against `QUICK_SETTINGS`.

    Raises:
        ServerStartError: It did not start, or not stop; the end of its log is in the message.
    """
    named = {name.replace("_", "."): _text(value) for name, value in settings.items()}
    with tempfile.TemporaryDirectory(prefix="everlog-") as scratch:
        server = RunningServer(
            data_dir or Path(scratch) / "data",
            log_path=Path(scratch) / "everlog.log",
            settings={**QUICK_SETTINGS, **named},
        )
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _port_of(address: str) -> str:
    return address.rpartition(":")[2]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
