"""The order of things: in each round plain disk, then peer after peer, one server at a time."""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.block import Block, Lengths, Notebook
from bench.client import Clients
from bench.comparison import DISK
from bench.peers.peer import Peer
from bench.sample import WHOLE_BLOCK, Sample, Samples
from bench.server import Site
from bench.suites import Suite
from bench.table import figure

_SHOWN: Mapping[str, str] = {
    "mb_per_s": "MB/s",
    "records_per_s": "records/s",
    "writes_per_s": "writes/s",
    "cpu_s_per_gb": "CPU s/GB",
    "p50_ms": "ms p50",
    "p90_ms": "ms p90",
    "p99_ms": "ms p99",
    "p999_ms": "ms p99.9",
    "start_s": "s to start",
    "produce_p99_ms": "ms p99 to produce",
    "broker_rss_mb": "MB broker",
    "growth_mb": "MB more",
    "dollars_per_gib": "$/GiB",
}


@dataclass(slots=True, kw_only=True)
class Schedule:
    """One suite's rounds."""

    suite: Suite
    peers: Sequence[Peer]
    rounds: int
    lengths: Lengths
    clients: Clients
    work_dir: Path
    say: Callable[[str], None]
    prepare_turn: Callable[[], None]
    _samples: list[Sample] = field(default_factory=list)

    def run(self) -> Samples:
        """Measure everything; failures are among the samples."""
        self.work_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="kept-", dir=self.work_dir) as kept:
            sites: dict[str, Site] = {}
            for turn in range(self.rounds):
                self._baseline(turn)
                for peer in self.peers:
                    self._block(turn, peer, Path(kept) / peer.name, sites)
        return Samples(tuple(self._samples))

    def _baseline(self, turn: int) -> None:
        if self.suite.baseline is None:
            return
        self.prepare_turn()
        with tempfile.TemporaryDirectory(prefix="disk-", dir=self.work_dir) as fresh:
            notebook = self._notebook(turn, DISK)
            with notebook.attempt(WHOLE_BLOCK):
                self.suite.baseline(self.clients, notebook, Path(fresh))

    def _block(self, turn: int, peer: Peer, kept: Path, sites: dict[str, Site]) -> None:
        notebook = self._notebook(turn, peer.name)
        self.prepare_turn()
        started = time.perf_counter()
        with (
            tempfile.TemporaryDirectory(prefix=f"{peer.name}-", dir=self.work_dir) as fresh,
            notebook.attempt(WHOLE_BLOCK),
        ):
            block = Block(
                peer=peer,
                lengths=self.lengths,
                clients=self.clients,
                notebook=notebook,
                fresh=Path(fresh),
                kept=kept,
                sites=sites,
            )
            self.suite.run(block)
        self.say(f"  {peer.name}'s turn took {time.perf_counter() - started:.0f} s")

    def _notebook(self, turn: int, peer: str) -> Notebook:
        def keep(sample: Sample) -> None:
            self._samples.append(sample)
            self.say(f"  {turn + 1}/{self.rounds} {peer:8}{sample.case:16}{_figures(sample)}")

        return Notebook(turn=turn, peer=peer, keep=keep)


def _figures(sample: Sample) -> str:
    if sample.error is not None:
        return f"FAILED: {sample.error}"
    return ", ".join(
        f"{figure(sample.metrics[metric])} {unit}"
        for metric, unit in _SHOWN.items()
        if sample.metrics.get(metric)
    )
