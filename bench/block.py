"""One peer's turn in one round: what a suite is given to measure with."""

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.client import Clients
from bench.errors import BenchError
from bench.peers.peer import Archive, Flush, Peer
from bench.sample import Metrics, Sample
from bench.server import Server, Site, serving
from everlog.testing.ports import free_port

COLD_LIMIT_S = 600.0
_LOOK_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """How long and how much: the same for both peers."""

    warm_s: float
    """Of load before the first measurement: a JVM compiles for about that long."""

    ramp_s: float
    produce_s: float
    latency_s: float
    consume_records: int
    memory_records: int
    idle_s: float
    topics: int
    tier_records: int
    """Of the archived topic; they and an index are two gibibytes and some more."""

    seeks: int
    scan_gib: int
    """Read through a small cache, by reading the archived topic again and again."""


FULL = Lengths(
    warm_s=5,
    ramp_s=1,
    produce_s=4,
    latency_s=20,
    consume_records=3_000_000,
    memory_records=5_000_000,
    idle_s=10,
    topics=1_000,
    tier_records=2_300_000,
    seeks=60,
    scan_gib=20,
)
QUICK = Lengths(
    warm_s=2,
    ramp_s=0.5,
    produce_s=1,
    latency_s=3,
    consume_records=500_000,
    memory_records=500_000,
    idle_s=2,
    topics=50,
    tier_records=350_000,
    seeks=20,
    scan_gib=1,
)


class Notebook:
    """Where the samples of one turn go: kept, and shown as they come."""

    def __init__(self, *, turn: int, peer: str, keep: Callable[[Sample], None]) -> None:
        self._turn = turn
        self._peer = peer
        self._keep = keep

    def note(self, case: str, metrics: Metrics) -> None:
        """Keep the figures of a case."""
        with_load = {**metrics, "load_1m": os.getloadavg()[0]}
        self._keep(Sample(round=self._turn, peer=self._peer, case=case, metrics=with_load))

    @contextlib.contextmanager
    def attempt(self, case: str) -> Iterator[None]:
        """Note what goes wrong inside as the failure of that case, and go on."""
        try:
            yield
        except BenchError as error:
            self._keep(Sample(round=self._turn, peer=self._peer, case=case, error=str(error)))


class Block:
    """A turn of a broker.

    Args:
        fresh: A directory of this turn alone.
        kept: A directory of this peer for all rounds of the suite.
    """

    def __init__(
        self,
        *,
        peer: Peer,
        lengths: Lengths,
        clients: Clients,
        notebook: Notebook,
        fresh: Path,
        kept: Path,
        sites: dict[str, Site],
    ) -> None:
        self.lengths = lengths
        self.kept = kept
        self._peer = peer
        self._clients = clients
        self._notebook = notebook
        self._fresh = fresh
        self._sites = sites

    def fresh_site(self, name: str = "data") -> Site:
        """Make an empty, formatted place for a server; one turn may have several."""
        return self._new_site(self._fresh / name)

    def kept_site(self, fill: Callable[[Site], None], name: str = "data") -> Site:
        """Give a place that all rounds of this suite share; `fill` it the first time."""
        key = f"{self._peer.name}/{name}"
        if key not in self._sites:
            site = self._new_site(self.kept / name)
            fill(site)
            self._sites[key] = site
        return self._sites[key]

    @contextlib.contextmanager
    def serving(
        self, site: Site, partitions: Mapping[str, int] | None = None
    ) -> Iterator[tuple[Server, float]]:
        """Run the peer's server there; gives it and the seconds that its start took."""
        with serving(self._peer, site, site.data_dir.with_suffix(".log"), partitions) as started:
            yield started

    def run(self, program: str, server: Server, topic: str, *arguments: str) -> dict[str, float]:
        """Run a client against a topic of that server, and return its figures."""
        return self._clients.run(program, "-b", server.bootstrap, "-t", topic, *arguments)

    @contextlib.contextmanager
    def beside(
        self, case: str, program: str, server: Server, topic: str, *arguments: str
    ) -> Iterator[Metrics]:
        """Run a client meanwhile, end it, and note its figures; they are given as well."""
        wanted = ["-b", server.bootstrap, "-t", topic, *arguments]
        with self._clients.running(program, *wanted) as figures:
            yield figures
        self._notebook.note(case, figures)

    def measure(
        self, case: str, program: str, server: Server, topic: str, *arguments: str
    ) -> dict[str, float]:
        """As `run`, from a settled disk, with the server's processor time, and noted."""
        server.check_alive()
        settle()
        before = server.cpu_s()
        figures = self.run(program, server, topic, *arguments)
        spent = {role: cpu_s - before.get(role, 0) for role, cpu_s in server.cpu_s().items()}
        figures["cpu_s"] = sum(spent.values())
        if figures.get("bytes"):
            gb = figures["bytes"] / 1e9
            figures["cpu_s_per_gb"] = figures["cpu_s"] / gb
            if len(spent) > 1:
                figures |= {f"{role}_cpu_s_per_gb": cpu_s / gb for role, cpu_s in spent.items()}
        self._notebook.note(case, figures)
        return figures

    def note(self, case: str, metrics: Metrics) -> None:
        """Keep figures that no client has given."""
        self._notebook.note(case, metrics)

    def attempt(self, case: str) -> contextlib.AbstractContextManager[None]:
        """As `Notebook.attempt`."""
        return self._notebook.attempt(case)

    def topic(self, server: Server, name: str, flush: Flush, partitions: int = 1) -> str:
        """Create a topic; return its name."""
        self.topics(server, {name: partitions}, flush)
        return name

    def topics(self, server: Server, partitions: Mapping[str, int], flush: Flush) -> None:
        """Create topics with so many partitions."""
        server.create_topics(partitions, self._peer.topic_config(flush))

    @property
    def has_archive(self) -> bool:
        """Whether this peer can be asked for a topic that is not local."""
        return self._peer.archive is not None

    @property
    def takes_buckets(self) -> bool:
        """Whether this peer's archive can be in a bucket."""
        return self._peer.archive is not None and self._peer.archive.at_url is not None

    def archive_settings(self, url: str) -> Sequence[str]:
        """The settings of a server whose archive is there."""
        if self._archive.at_url is None:
            raise BenchError(f"{self._peer.name} has an archive in one place only")
        return self._archive.at_url(url)

    def local_start(self, server: Server, topic: str) -> int:
        """The first offset of a topic's only partition that is local."""
        return self._archive.local_start(server.bootstrap, topic)

    def cold_topic(self, server: Server, name: str) -> str:
        """Create a topic that is soon read from the archive; return its name."""
        server.create_topics({name: 1}, self._archive.topic_config)
        return name

    def wait_cold(self, server: Server, topic: str, end: int) -> None:
        """Wait until no record of it below ``end`` is local."""
        deadline = time.monotonic() + COLD_LIMIT_S
        while (start := self.local_start(server, topic)) < end:
            if time.monotonic() > deadline:
                raise BenchError(f"{topic} is still local from {start} on, not from {end}")
            time.sleep(_LOOK_S)

    @property
    def _archive(self) -> Archive:
        if self._peer.archive is None:
            raise BenchError(f"{self._peer.name} has no archive")
        return self._peer.archive

    def _new_site(self, data_dir: Path) -> Site:
        site = Site(data_dir, free_ports(self._peer.brokers))
        self._peer.format(site.data_dir, site.port)
        return site


def free_ports(count: int) -> int:
    """Return the first of so many ports in a row that were all free a moment ago."""
    while True:
        first = free_port()
        with contextlib.suppress(OSError), contextlib.ExitStack() as held:
            for port in range(first, first + count):
                held.enter_context(socket.create_server(("127.0.0.1", port)))
            return first


def settle() -> None:
    """Let the disk finish what earlier measurements have left to it."""
    os.sync()
