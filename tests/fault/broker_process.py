"""An Everlog broker as a process that a test may kill."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

from typing_extensions import override

from everlog.testing.ports import free_port

READY_SECONDS_MAX = 60
STOP_SECONDS_MAX = 20


class BrokerDiedError(RuntimeError):
    """The broker ended before it was ready, or did not stop as it promises."""


class BrokerProcess:
    """`everlog dev` on one data directory, started and killed as often as a test likes."""

    def __init__(
        self,
        directory: Path,
        settings: dict[str, str] | None = None,
        *,
        store: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = directory
        self.log_path = directory / "everlog.log"
        self.port = free_port()
        self._settings = settings or {}
        self._store = store
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None
        self._helpers: list[Path] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def worker_pid(self) -> int | None:
        """Of the transfer process; None while there is none."""
        for child in _children(self.pid):
            try:
                command = child.with_name("cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if b"service.app.transfer_worker" in command:
                return int(child.parent.name)
        return None

    def metric(self, name: str) -> float:
        """Read a number from the metrics page."""
        lines = self.log_path.read_text().splitlines()
        ready = [json.loads(line) for line in lines if '"broker_ready"' in line]
        host, _, port = ready[-1]["admin"].removeprefix("http://").rpartition(":")
        with closing(http.client.HTTPConnection(host, int(port), timeout=20)) as connection:
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
        found = re.search(rf"^{name}(?:_total)? (\S+)$", text, re.MULTILINE)
        assert found is not None, f"{name} is not on the page"
        return float(found[1])

    @property
    def data_dir(self) -> Path:
        return self.directory / "data"

    @property
    def exit_status(self) -> int | None:
        """None while it runs, and of one that a test has ended."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start the broker, always on the same port, and wait for its ready line."""
        self.launch()
        try:
            self._wait_ready()
        except BrokerDiedError:
            self._end("kill")
            raise

    def launch(self) -> None:
        """Start the broker, and wait for nothing."""
        program = Path(sys.executable).with_name("everlog")
        command = [str(program), *self._words(), "--data-dir", str(self.data_dir)]
        if self._store is not None:
            command += ["--store", self._store]
        for name, value in self._settings.items():
            command += ["--set", f"{name}={value}"]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=None if self._environment is None else {**os.environ, **self._environment},
            )

    def kill(self) -> None:
        """End it as a power cut of the process would: SIGKILL."""
        self._end("kill")

    def stop(self, *, may_be_starting: bool = False) -> None:
        """Ask it to stop: SIGTERM, which ends a broker at once that serves nobody yet."""
        assert self._process is not None
        process = self._process
        self._end("terminate")
        accepted = {0, -signal.SIGTERM} if may_be_starting else {0}
        if process.returncode not in accepted:
            raise BrokerDiedError(f"exit status {process.returncode}:\n{self.log_tail()}")

    def wait(self) -> int:
        """Wait until it has ended by itself, and return its exit status."""
        assert self._process is not None
        process = self._process
        process.wait(STOP_SECONDS_MAX)
        self._end("kill")
        return process.returncode

    def wait_for_helpers(self) -> None:
        """Wait until the processes that it had started have ended too, as they do by themselves."""
        deadline = time.monotonic() + STOP_SECONDS_MAX
        while any(_is_running(each) for each in self._helpers):
            assert time.monotonic() < deadline, "a process has outlived its broker"
            time.sleep(0.01)

    def log_tail(self, lines: int = 20) -> str:
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])

    def _words(self) -> list[str]:
        """Return the command, and where it listens."""
        return ["dev", "--port", str(self.port), "--http-port", "0"]

    def _end(self, how: str) -> None:
        if self._process is None:
            return
        self._helpers = _children(self._process.pid)
        getattr(self._process, how)()
        self._process.wait(STOP_SECONDS_MAX)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None

    def _wait_ready(self) -> None:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        deadline = threading.Timer(READY_SECONDS_MAX, process.kill)
        deadline.start()
        try:
            for line in process.stdout:
                words = line.split()
                if words[:2] == ["everlog", "ready"]:
                    return
        finally:
            deadline.cancel()
        raise BrokerDiedError(f"it ended without a ready line:\n{self.log_tail()}")


class ReadOnlyBroker(BrokerProcess):
    """`everlog broker --read-only` on a data directory of its own."""

    @override
    def _words(self) -> list[str]:
        listeners = f"listeners=PLAINTEXT://127.0.0.1:{self.port}"
        return ["broker", "--read-only", "--set", listeners]


def _children(pid: int) -> list[Path]:
    """Return where Linux tells of the processes that another has started."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [Path(f"/proc/{child}/stat") for child in children]


def _is_running(stat: Path) -> bool:
    try:
        state = stat.read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
