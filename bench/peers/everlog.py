"""Everlog from this checkout: `everlog dev`, one broker with everything that comes with it."""

import importlib.metadata
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.comparison import EVERLOG
from bench.errors import BenchError
from bench.peers.peer import Archive, Flush
from bench.tool import output_of
from everlog.testing.ports import free_port

COMMAND_VARIABLE = "BENCH_EVERLOG_COMMAND"
"""Not `EVERLOG_...`: the server takes those for settings."""

_STATUS_LIMIT_S = 30.0
_NEVER = str(2**63 - 1)
_FLUSH: Mapping[Flush, dict[str, str]] = {
    Flush.INTERVAL: {"flush.messages": _NEVER, "flush.ms": "1000"},
    Flush.ALWAYS: {"flush.messages": "1"},
    Flush.DEFAULT: {},
}


class Everlog:
    """Everlog, as installed beside the Python that runs this benchmark.

    Args:
        settings: `name=value`, passed to `--set`.
        tiered: Whether topics with a chosen flush are archived as well, which is Everlog's default
            and more than Kafka does.
    """

    name = EVERLOG
    brokers = 1
    role_words: Mapping[str, str] = {"gateway": "gateway", "worker": "worker"}

    def __init__(self, *, settings: Sequence[str], tiered: bool) -> None:
        installed = shutil.which("everlog", path=str(Path(sys.executable).parent))
        self._everlog = os.environ.get(COMMAND_VARIABLE, installed or "everlog")
        self._settings = settings
        self.archive: Archive | None = Archive(
            {"local.retention.bytes": "1"},
            self._local_start,
            at_url=lambda url: [f"store.url={url}"],
        )
        self._topic = {} if tiered else {"remote.storage.enable": "false"}

    def prepare(self) -> None:
        if shutil.which(self._everlog) is None:
            raise BenchError(f"{self._everlog} is not installed: run `make setup`, or --only kafka")

    def versions(self) -> Mapping[str, str]:
        return {
            "everlog": importlib.metadata.version("everlog"),
            "python": sys.version.partition(" ")[0],
            "everlog_settings": " ".join(self._settings),
        }

    def format(self, data_dir: Path, port: int) -> None:
        del port
        data_dir.mkdir(parents=True, exist_ok=True)

    def command(self, data_dir: Path, port: int, settings: Sequence[str]) -> Sequence[str]:
        ports = ["--port", str(port), "--http-port", str(free_port())]
        # What the user asks for comes last and holds.
        given = [part for each in (*settings, *self._settings) for part in ("--set", each)]
        return [self._everlog, "dev", "--data-dir", str(data_dir), *ports, *given]

    def topic_config(self, flush: Flush) -> Mapping[str, str]:
        return _FLUSH[flush] | (self._topic if flush is not Flush.DEFAULT else {})

    def _local_start(self, bootstrap: str, topic: str) -> int:
        command = [self._everlog, "tier", "status", topic, "-b", bootstrap, "-o", "json"]
        (partition,) = json.loads(output_of(command, limit_s=_STATUS_LIMIT_S))
        return int(partition["local_start"])
