"""Real ZooKeeper for tests: a server, or an ensemble, on loopback and on ports of its own."""

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Self

JARS = Path("/usr/share/java")
ADVICE = "ZooKeeper is not installed; `apt-get install zookeeper` (and a Java runtime)"
START_SECONDS_MAX = 30
ATTEMPTS_MAX = 3
TICK_MS = 500
"""Sessions last from 2 to 20 ticks."""

_LOGGING = """\
log4j.rootLogger=WARN, FILE
log4j.appender.FILE=org.apache.log4j.ConsoleAppender
log4j.appender.FILE.layout=org.apache.log4j.PatternLayout
log4j.appender.FILE.layout.ConversionPattern=%d %p %c %m%n
"""


class ServerError(RuntimeError):
    """ZooKeeper did not start."""


def is_installed() -> bool:
    return shutil.which("java") is not None and (JARS / "zookeeper.jar").exists()


def free_ports(count: int) -> list[int]:
    """Return ports that nobody has, and that the kernel gives to no connection by itself."""
    first_ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    with ExitStack() as held:
        ports: list[int] = []
        while len(ports) < count:
            port = random.randrange(10_000, first_ephemeral)
            with suppress(OSError):
                held.enter_context(socket.create_server(("127.0.0.1", port)))
                ports.append(port)
    return ports


class ZooKeeperServer:
    """One process, on one directory and one port for as long as the test likes."""

    def __init__(
        self,
        directory: Path,
        *,
        port: int,
        peers: Sequence[str] = (),
        extra: Sequence[str] = (),
        java: Sequence[str] = (),
    ) -> None:
        self.directory = directory
        self.port = port
        self.peers = peers
        self._java = java
        self._process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True, exist_ok=True)
        lines = [
            f"tickTime={TICK_MS}",
            "initLimit=20",
            "syncLimit=10",
            f"dataDir={directory}/data",
            f"clientPort={port}",
            "clientPortAddress=127.0.0.1",
            "admin.enableServer=false",
            "maxClientCnxns=0",
            "4lw.commands.whitelist=srvr",
            *peers,
            *extra,
        ]
        (directory / "zoo.cfg").write_text("\n".join(lines) + "\n")
        (directory / "log4j.properties").write_text(_LOGGING)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Begin to start; `wait` until it serves."""
        jars = [JARS / "zookeeper.jar", JARS / "slf4j-log4j12.jar", JARS / "log4j-1.2.jar"]
        # Debian's manifest leaves out what TLS needs.
        jars += [each for each in JARS.glob("netty-*.jar") if "4.1" not in each.name]
        main = "quorum.QuorumPeerMain" if self.peers else "ZooKeeperServerMain"
        command = ["java", "-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        # Tests kill processes, not machines: the page cache keeps what was written.
        command += ["-Dzookeeper.forceSync=no", *self._java]
        command += [f"-Dlog4j.configuration=file:{self.directory}/log4j.properties"]
        command += ["-cp", os.pathsep.join(map(str, jars))]
        command += [f"org.apache.zookeeper.server.{main}", str(self.directory / "zoo.cfg")]
        with (self.directory / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def wait(self) -> None:
        """Wait until it serves."""
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS_MAX
        while b"Mode:" not in self.said(b"srvr"):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise ServerError((self.directory / "server.log").read_text()[-2000:])
            time.sleep(0.02)

    def said(self, word: bytes) -> bytes:
        """Return the answer to one of the four-letter words, nothing if there is none."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(word)
                return connection.recv(4096)
        except OSError:
            return b""

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """SIGKILL, and a start on what is there."""
        self.kill()
        self.start()
        self.wait()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the process for a while: its sockets are open, and nobody answers."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)


class ZooKeeperEnsemble:
    """Servers that are one ZooKeeper; with one of them it is a standalone server."""

    def __init__(self, servers: Sequence[ZooKeeperServer]) -> None:
        self.servers = servers

    @property
    def addresses(self) -> str:
        return ",".join(server.address for server in self.servers)

    def start(self) -> Self:
        try:
            for server in self.servers:
                server.start()
            for server in self.servers:
                server.wait()
        except ServerError:
            self.kill()
            raise
        return self

    def kill(self) -> None:
        for server in self.servers:
            server.kill()

    def restart(self) -> None:
        self.kill()
        self.start()


def _ensemble(directory: Path, size: int) -> ZooKeeperEnsemble:
    ports = free_ports(3 * size)
    peers = [f"server.{n + 1}=127.0.0.1:{ports[3 * n + 1]}:{ports[3 * n + 2]}" for n in range(size)]
    servers = []
    for number in range(1, size + 1):
        place = directory / str(number)
        (place / "data").mkdir(parents=True)
        (place / "data" / "myid").write_text(str(number))
        port = ports[3 * (number - 1)]
        servers.append(ZooKeeperServer(place, port=port, peers=peers if size > 1 else ()))
    return ZooKeeperEnsemble(servers)


@contextmanager
def running_zookeeper(size: int = 1) -> Iterator[ZooKeeperEnsemble]:
    """Run so many servers. Somebody may take a port first, so a start is tried again."""
    with tempfile.TemporaryDirectory(prefix="zookeeper-") as directory:
        for attempt in range(ATTEMPTS_MAX):
            ensemble = _ensemble(Path(directory) / str(attempt), size)
            try:
                ensemble.start()
                break
            except ServerError:
                if attempt == ATTEMPTS_MAX - 1:
                    raise
        try:
            yield ensemble
        finally:
            ensemble.kill()
