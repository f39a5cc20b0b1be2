"""A real broker in a process of its own, and what can be seen of it from outside."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

_START_SECONDS_MAX = 30
_STOP_SECONDS_MAX = 20

SETTINGS = {
    "listeners": "PLAINTEXT://127.0.0.1:0",
    "broker.id": "1",
    "group.initial.rebalance.delay.ms": "0",
    # Records of a fixed day are as good as new ones.
    "log.message.timestamp.after.max.ms": str(2**63 - 1),
}


class BrokerProcess:
    """One broker; it can be stopped and started again on the same directory."""

    def __init__(self, directory: Path, **settings: str) -> None:
        self.log = directory / "broker.log"
        self._config = directory / "broker.toml"
        values = {"data.dir": str(directory / "data"), **SETTINGS, **settings}
        self._config.write_text("".join(f'"{key}" = "{value}"\n' for key, value in values.items()))
        self._process: subprocess.Popen[str]
        self.address: tuple[str, int]

    def start(self) -> None:
        program = Path(sys.executable).with_name("everlog")
        with self.log.open("ab") as stderr:
            self._process = subprocess.Popen(
                [str(program), "broker", "--config", str(self._config)],
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                # What is meant for the tests would be read as settings.
                env={k: v for k, v in os.environ.items() if not k.startswith("EVERLOG_")},
            )
        deadline = threading.Timer(_START_SECONDS_MAX, self._process.kill)
        deadline.start()
        try:
            assert self._process.stdout is not None
            line = self._process.stdout.readline().split()
        finally:
            deadline.cancel()
        if line[:2] != ["everlog", "ready"]:
            self._process.wait(_STOP_SECONDS_MAX)
            self._process.stdout.close()
        assert line[:2] == ["everlog", "ready"], f"no ready line:\n{self.log_text()[-4000:]}"
        host, _, port = line[line.index("kafka") + 1].rpartition(":")
        self.address = host, int(port)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            assert self._process.wait(_STOP_SECONDS_MAX) == 0, self.log_text()[-4000:]
        finally:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()

    def restart(self) -> None:
        self.stop()
        self.start()

    def rss_bytes(self) -> int:
        """Return the resident memory of the process."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def log_text(self) -> str:
        return self.log.read_text(errors="replace")
