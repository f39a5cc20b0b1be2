"""Several brokers on one machine: this process keeps their metadata, and them, running.

It serves the embedded tree over ZooKeeper's wire on loopback (BLUEPRINT D18), so the brokers are
those of any cluster. The first one has the data directory itself, as a single broker would, and the
others have directories below it: a directory can grow from one broker to several.
"""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog
import uvloop

from everlog.model.errors import EverlogError, RejectedError
from service.app.config import environment_name
from service.app.data_lock import DataLock
from service.app.gateway_process import GatewayProcess
from service.app.metadata import METADATA_DIR
from service.app.seams import raise_descriptor_limit, system_seams
from service.coordination.embedded.store import open_tree
from service.coordination.embedded.wire.server import WireServer
from service.telemetry.stray_cancellation import begin_unbroken

SESSION_MS = 2000
"""So long after its death a broker is missed, and its partitions get other leaders."""

STOP_SECONDS_MAX = 9.0
RESTART_SECONDS = 1.0
READY_WORDS = ["everlog", "ready", "kafka"]

_log = structlog.get_logger(__name__)


class BrokerEndedError(RejectedError):
    """A broker has ended before it served anybody; it has said why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DevCluster:
    """What is to run.

    Attributes:
        brokers: How many.
        data_dir: Everything is below it.
        port: Of the first broker; the others have those behind it. 0 for free ones.
        store_url: The archive of all of them.
        flags: Further settings of all brokers, ``name=value``.
    """

    brokers: int
    data_dir: str
    port: int
    store_url: str
    flags: Sequence[str] = ()

    def directory(self, number: int) -> str:
        """Return the data directory of a broker."""
        return self.data_dir if number == 1 else f"{self.data_dir}/broker-{number}"

    def settings(self, number: int, zookeeper_port: int) -> Mapping[str, str]:
        """Return what one broker is told."""
        port = self.port + number - 1 if self.port else 0
        return {
            "broker.id": str(number),
            "data.dir": self.directory(number),
            "listeners": f"PLAINTEXT://127.0.0.1:{port}",
            "store.url": self.store_url,
            "zookeeper.connect": f"127.0.0.1:{zookeeper_port}",
            "zookeeper.session.timeout.ms": str(SESSION_MS),
        }

    def write_config(self, number: int, settings: Mapping[str, str]) -> Path:
        """Write down what a broker is told, so that it can be looked at; return where."""
        path = Path(self.directory(number), "broker.toml")
        path.parent.mkdir(parents=True, exist_ok=True)
        # What JSON writes as a text, TOML reads as the same.
        lines = [f"{json.dumps(name)} = {json.dumps(text)}" for name, text in settings.items()]
        path.write_text("# Written by `everlog dev` at each start.\n" + "\n".join(lines) + "\n")
        return path


OnReady = Callable[[str], None]
"""Told once when all brokers serve: where they do, ``host:port,host:port``."""


def run_dev_cluster(cluster: DevCluster, *, on_ready: OnReady, gateway: GatewayProcess) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        EverlogError: The start is refused; the message says what to do.
    """
    raise_descriptor_limit()
    with DataLock(f"{cluster.data_dir}/{METADATA_DIR}"):
        uvloop.run(_serve(cluster, gateway, on_ready))


async def _serve(cluster: DevCluster, gateway: GatewayProcess, on_ready: OnReady) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    seams = system_seams(flush_threads=1, read_threads=1)
    directory = f"{cluster.data_dir}/{METADATA_DIR}"
    tree = await open_tree(disk=seams.disk, directory=directory, executor=seams.metadata_executor)
    server = WireServer(tree, network=seams.network, ids=seams.ids)
    try:
        async with asyncio.TaskGroup() as tasks:
            port = await server.bind(0, tasks)
            await server.start()
            begun = [begin_unbroken(tasks, server.run())]
            members = [_Member(cluster, n, port) for n in range(1, cluster.brokers + 1)]
            try:
                begun.append(begin_unbroken(tasks, _keep(members, gateway, on_ready)))
                await stopped.wait()
            finally:
                for task in begun[1:]:
                    task.cancel()
                await asyncio.gather(*(member.stop() for member in members))
                begun[0].cancel()
                server.close()
    except BaseExceptionGroup as group:
        refused = group.subgroup(EverlogError)
        raise (group if refused is None else refused.exceptions[0]) from None
    finally:
        await tree.close()


async def _keep(members: Sequence["_Member"], gateway: GatewayProcess, on_ready: OnReady) -> None:
    """Start all, and keep them and the gateway running until cancelled."""
    for member in members:
        # One after the other: the first lays the tree out.
        await member.start()
    on_ready(",".join(member.bootstrap for member in members))
    async with asyncio.TaskGroup() as tasks:
        for member in members:
            tasks.create_task(member.keep())
        tasks.create_task(gateway.run(members[0].bootstrap, members[0].admin))


class _Member:
    """The process of one broker.

    Attributes:
        bootstrap: Where it serves clients, ``host:port``.
        admin: Where its own pages are, ``host:port``.
    """

    def __init__(self, cluster: DevCluster, number: int, zookeeper_port: int) -> None:
        self._cluster = cluster
        self._number = number
        self._settings = cluster.settings(number, zookeeper_port)
        self._process: Process | None = None
        self.bootstrap = self.admin = ""

    async def start(self) -> None:
        """Start it, and wait until it serves.

        Raises:
            BrokerEndedError: It ended before.
        """
        config = self._cluster.write_config(self._number, self._settings)
        flags = [word for flag in self._cluster.flags for word in ("--set", flag)]
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "service.app.dev_member", "broker"),
            *("--config", str(config), *flags),
            stdin=DEVNULL,
            stdout=PIPE,
            env=_environment(self._settings),
            # A Ctrl-C is meant for this process, which lets the brokers go in order.
            start_new_session=True,
        )
        assert self._process.stdout is not None
        words = (await self._process.stdout.readline()).decode().split()
        if words[: len(READY_WORDS)] != READY_WORDS:
            raise BrokerEndedError(f"broker {self._number} has ended; see what it says above")
        self.bootstrap = words[words.index("kafka") + 1]
        self.admin = words[words.index("http") + 1].removeprefix("http://")

    async def keep(self) -> None:
        """Start it again whenever it has ended, until cancelled."""
        while True:
            assert self._process is not None
            status = await self._process.wait()
            _log.warning("broker_ended", broker=self._number, status=status)
            await asyncio.sleep(RESTART_SECONDS)
            with suppress(BrokerEndedError):
                await self.start()

    async def stop(self) -> None:
        """Let it leave in order, or end it after a while."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS_MAX):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment without what would hold against the settings."""
    taken = {environment_name(name) for name in settings}
    return {name: text for name, text in os.environ.items() if name not in taken}
