"""One running server of a peer: started, watched and stopped as processes of our own."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from bench import metadata, processes
from bench.errors import BenchError
from bench.peers.peer import Peer

START_LIMIT_S = 600.0
STOP_LIMIT_S = 120.0
"""Kafka takes minutes for ten thousand partitions on a busy machine; once killed, more."""

TOPIC_LIMIT_S = 300.0
_TOPICS_A_REQUEST = 50
_LOG_TAIL_CHARS = 2000


@dataclass(frozen=True, slots=True)
class Site:
    """Where a peer lives: its directory, and the port that the directory knows."""

    data_dir: Path
    port: int
    settings: Sequence[str] = ()
    """``name=value``, for whatever server is started there."""

    environment: Mapping[str, str] = field(default_factory=dict)
    """What that server finds in its environment besides this program's own."""


class Server:
    """A peer that answers on its port."""

    def __init__(self, peer: Peer, site: Site, log: Path) -> None:
        self._peer = peer
        self._site = site
        self._log = log
        with log.open("ab") as output:
            started = time.perf_counter()
            # A session of its own: Ctrl-C reaches this program alone, which then stops the server,
            # and what a server leaves behind is known by its session.
            self._process = subprocess.Popen(
                peer.command(site.data_dir, site.port, site.settings),
                env={**os.environ, **site.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._started = started

    @property
    def bootstrap(self) -> str:
        """Host and port, as clients want it."""
        return f"127.0.0.1:{self._site.port}"

    def wait_ready(self, partitions: Mapping[str, int] | None = None) -> float:
        """Wait until it says that it is there; return the seconds since its start.

        Args:
            partitions: Topics that must be listed by then, with that many led partitions.
        """
        wanted = partitions or {}
        metadata.wait_until(
            self._site.port,
            lambda seen: seen.brokers >= self._peer.brokers and _leads(seen, wanted),
            topics=None,
            limit_s=START_LIMIT_S,
            check_alive=self.check_alive,
        )
        return time.perf_counter() - self._started

    def check_alive(self) -> None:
        """Raise what the server said last if it has ended."""
        if self._process.poll() is not None:
            said = self._log.read_text(errors="replace")[-_LOG_TAIL_CHARS:]
            raise BenchError(f"{self._peer.name} ended ({self._process.returncode}): {said}")

    def create_topics(self, partitions: Mapping[str, int], config: Mapping[str, str]) -> None:
        """Create topics, and wait until every partition has a leader."""
        # Level 2: without the client's complaints when the server is stopped.
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 2})
        names = list(partitions)
        for at in range(0, len(names), _TOPICS_A_REQUEST):
            wanted = [
                NewTopic(name, partitions[name], self._peer.brokers, config=dict(config))
                for name in names[at : at + _TOPICS_A_REQUEST]
            ]
            try:
                for created in admin.create_topics(wanted, request_timeout=TOPIC_LIMIT_S).values():
                    created.result()
            except KafkaException as error:
                raise BenchError(f"{self._peer.name} creates no topics: {error}") from error
        metadata.wait_until(
            self._site.port,
            lambda seen: _leads(seen, partitions),
            topics=names,
            limit_s=TOPIC_LIMIT_S,
            check_alive=self.check_alive,
        )

    def cpu_s(self) -> dict[str, float]:
        """Processor seconds of its live processes since they began, by role."""
        return {role: sum(each.cpu_s for each in found) for role, found in self._roles().items()}

    def memory(self) -> dict[str, processes.Memory]:
        """Resident memory by role."""
        return {role: processes.memory(found) for role, found in self._roles().items()}

    def largest_rss_mb(self) -> float:
        """Resident memory of the largest of its processes."""
        return max(processes.memory([each]).rss_mb for each in self._family())

    def stop(self) -> None:
        """Ask it to end, insist after a while, and leave none of its processes behind."""
        family = {(member.pid, member.started_ticks) for member in self._family()}
        self._process.terminate()
        try:
            self._process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            print(f"{self._peer.name} did not stop within {STOP_LIMIT_S:g} s: killed", flush=True)
            self._process.kill()
            self._process.wait()
        for member in processes.snapshot():
            ours = member.session == self._process.pid
            if ours or (member.pid, member.started_ticks) in family:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(member.pid, signal.SIGKILL)

    def _roles(self) -> dict[str, list[processes.Process]]:
        return processes.by_role(self._family(), self._peer.role_words)

    def _family(self) -> list[processes.Process]:
        return processes.family(self._process.pid, processes.snapshot())


@contextlib.contextmanager
def serving(
    peer: Peer, site: Site, log: Path, partitions: Mapping[str, int] | None = None
) -> Iterator[tuple[Server, float]]:
    """Start; give the server and how long its start took; stop in any case."""
    server = Server(peer, site, log)
    try:
        yield server, server.wait_ready(partitions)
    finally:
        server.stop()


def _leads(seen: metadata.Metadata, wanted: Mapping[str, int]) -> bool:
    return all(seen.led.get(name) == count for name, count in wanted.items())
