"""The brokers of a cluster, as processes that are started again when they end by themselves."""

import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from everlog.testing.ports import free_port
from service.app.sync_ledger import VARIABLE
from service.app.zookeeper_metadata import LOOP_STUCK_STATUS
from tests.cluster.power_failure import PowerCut, cut_power
from tests.fault.broker_process import BrokerProcess

SESSION_LOST_STATUS = 75
LOOK_SECONDS = 0.1
RESTART_SECONDS = 0.5
"""A service manager waits, too."""

STATUSES_EXPECTED = {SESSION_LOST_STATUS, LOOP_STUCK_STATUS}
"""Of brokers that may end by themselves: those that have lost their session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """A broker ended, and no test had ended it."""

    broker: int
    status: int
    said: str

    @property
    def is_expected(self) -> bool:
        return self.status in STATUSES_EXPECTED


class ClusterBroker(BrokerProcess):
    """`everlog broker` with two listeners, each known to others by a proxy.

    Attributes:
        number: Its id.
        client_port: Where it listens for clients.
        peer_port: Where it listens for other brokers.
        ledger_dir: What of its disk is durable (`service/app/sync_ledger.py`).
    """

    def __init__(self, directory: Path, number: int) -> None:
        directory.mkdir(parents=True)
        self.number = number
        self.client_port, self.peer_port = free_port(), free_port()
        self.ledger_dir = directory / "ledger"
        self._config = directory / "everlog.toml"
        self._said_before = 0
        super().__init__(directory, environment={VARIABLE: str(self.ledger_dir)})

    def configure(self, settings: Mapping[str, str], *, client_proxy: int, peer_proxy: int) -> None:
        """Write its configuration, before the first start."""
        host = "127.0.0.1"
        both = {
            "broker.id": str(self.number),
            "listeners": f"CLIENT://{host}:{self.client_port},PEER://{host}:{self.peer_port}",
            "advertised.listeners": f"CLIENT://{host}:{client_proxy},PEER://{host}:{peer_proxy}",
            "listener.security.protocol.map": "CLIENT:PLAINTEXT,PEER:PLAINTEXT",
            "inter.broker.listener.name": "PEER",
            **settings,
        }
        lines = (f'"{name}" = "{value}"\n' for name, value in both.items())
        self._config.write_text("".join(lines))

    @override
    def _words(self) -> list[str]:
        return ["broker", "--config", str(self._config)]

    @override
    def launch(self) -> None:
        self._said_before = self.log_path.stat().st_size if self.log_path.exists() else 0
        super().launch()

    @property
    def is_ready(self) -> bool:
        """Whether it has served clients since it was started last."""
        with self.log_path.open("rb") as log:
            log.seek(self._said_before)
            return b'"broker_ready"' in log.read()

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)


class Brokers:
    """All of them, and a thread that starts again whoever ends by itself.

    Attributes:
        deaths: Of those, in their order.
        starts: How many there were.
    """

    def __init__(self, brokers: list[ClusterBroker]) -> None:
        self.deaths: list[Death] = []
        self.starts = 0
        self._brokers = {broker.number: broker for broker in brokers}
        self._is_down = dict.fromkeys(self._brokers, True)
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._look_after, name="supervisor", daemon=True)

    def __getitem__(self, number: int) -> ClusterBroker:
        return self._brokers[number]

    @property
    def numbers(self) -> list[int]:
        return sorted(self._brokers)

    @property
    def up(self) -> list[int]:
        """Return those that nobody has ended."""
        return [number for number in self.numbers if not self._is_down[number]]

    @contextmanager
    def looked_after(self) -> Iterator[None]:
        """Start all, keep them running, and kill them in the end."""
        self._thread.start()
        try:
            for number in self.numbers:
                self.start(number)
            yield
        finally:
            self._stopping.set()
            self._thread.join()
            for number in self.numbers:
                self.kill(number)

    def start(self, number: int) -> None:
        with self._lock:
            if self._is_down[number]:
                self._is_down[number] = False
                self.starts += 1
                self._brokers[number].launch()

    def kill(self, number: int) -> None:
        """SIGKILL."""
        with self._lock:
            self._is_down[number] = True
            self._brokers[number].kill()

    def stop(self, number: int) -> None:
        """SIGTERM; one that has just ended by itself has ended."""
        with self._lock:
            self._note_death(number)
            self._is_down[number] = True
            if self._brokers[number].exit_status is None:
                self._brokers[number].stop(may_be_starting=True)
            else:
                self._brokers[number].kill()

    def cut_power(self, number: int, rng: random.Random, *, is_told: bool = True) -> PowerCut:
        """Take what was not durable from the disk of a broker that was killed."""
        broker = self._brokers[number]
        broker.wait_for_helpers()
        return cut_power(broker.data_dir, broker.ledger_dir, rng, is_told=is_told)

    def wipe(self, number: int) -> None:
        """Give a broker that was killed a new disk."""
        broker = self._brokers[number]
        broker.wait_for_helpers()
        shutil.rmtree(broker.data_dir, ignore_errors=True)
        shutil.rmtree(broker.ledger_dir, ignore_errors=True)

    @contextmanager
    def paused(self, number: int) -> Iterator[None]:
        """Let a broker stand still: its connections are open, and nobody answers."""
        with self._lock:
            self._brokers[number].signal(signal.SIGSTOP)
        try:
            yield
        finally:
            with self._lock:
                if not self._is_down[number]:
                    self._brokers[number].signal(signal.SIGCONT)

    def _look_after(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            for number in self.numbers:
                with self._lock:
                    ended = self._note_death(number)
                if ended:
                    time.sleep(RESTART_SECONDS)
                    self._restart(number)

    def _note_death(self, number: int) -> bool:
        """Note that a broker has ended by itself, if it has."""
        broker = self._brokers[number]
        status = None if self._is_down[number] else broker.exit_status
        if status is None:
            return False
        said = broker.log_tail(5)
        self.deaths.append(Death(broker=number, status=status, said=said))
        return True

    def _restart(self, number: int) -> None:
        with self._lock:
            # Somebody may have ended it meanwhile, or ends all.
            if not self._is_down[number] and not self._stopping.is_set():
                self._brokers[number].kill()
                self.starts += 1
                self._brokers[number].launch()
