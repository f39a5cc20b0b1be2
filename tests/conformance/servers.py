"""The server under test: Everlog, Apache Kafka 4.1.0, or one that somebody else has started.

Everlog is one broker, or three of `everlog dev --brokers 3`, or three on a real ZooKeeper.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from everlog.testing.ports import free_port
from tests.conformance.package_cache import maven_jars
from tests.contract.zookeeper_server import running_zookeeper

BOOTSTRAP_ENV = "CONFORMANCE_BOOTSTRAP"
SERVER_ENV = "CONFORMANCE_SERVER"

# librdkafka's own suite counts on four; the initial rebalance is not what is tested here.
SETTINGS = {"num.partitions": "4", "group.initial.rebalance.delay.ms": "0"}

BROKERS = 3
"""Of a cluster; its topics have as many replicas."""

KAFKA_ARTIFACTS = ("org.apache.kafka:kafka_2.13:4.1.0", "org.apache.kafka:kafka-tools:4.1.0")
_START_SECONDS_MAX = 60
# `everlog dev` promises to stop within 10 s; the rest is for a busy machine.
_STOP_SECONDS_MAX = 20


class ServerError(RuntimeError):
    """The server did not start, or did not stop as it promises."""


@contextmanager
def running_server(directory: Path, *, settings: Mapping[str, str] = SETTINGS) -> Iterator[str]:
    """Run the server that the environment asks for and yield its bootstrap address.

    Its data and logs go below ``directory``.
    """
    bootstrap = os.environ.get(BOOTSTRAP_ENV)
    if bootstrap is not None:
        yield bootstrap
        return
    start = {
        "everlog": _everlog,
        "everlog-dev-3": partial(_everlog, brokers=BROKERS),
        "everlog-zookeeper-3": _everlog_on_zookeeper,
        "kafka": _kafka,
    }[os.environ.get(SERVER_ENV, "everlog")]
    with start(directory, settings) as bootstrap:
        yield bootstrap


@contextmanager
def _everlog(directory: Path, settings: Mapping[str, str], *, brokers: int = 1) -> Iterator[str]:
    program = Path(sys.executable).with_name("everlog")
    command = [str(program), "dev", "--data-dir", str(directory / "data")]
    command += ["--port", "0", "--http-port", "0", "--brokers", str(brokers)]
    with _everlog_process(command, directory, settings) as bootstrap:
        yield bootstrap


@contextmanager
def _everlog_on_zookeeper(directory: Path, settings: Mapping[str, str]) -> Iterator[str]:
    program = Path(sys.executable).with_name("everlog")
    with running_zookeeper() as zookeeper, ExitStack() as stack:
        addresses = []
        for number in range(1, BROKERS + 1):
            own = directory / str(number)
            own.mkdir()
            config = own / "broker.toml"
            config.touch()
            command = [str(program), "broker", "--config", str(config)]
            place = {
                "data.dir": str(own / "data"),
                "broker.id": str(number),
                "listeners": "PLAINTEXT://127.0.0.1:0",
                "store.url": f"file://{directory}/store",
                "zookeeper.connect": zookeeper.addresses,
            }
            process = _everlog_process(command, own, {**place, **settings})
            addresses.append(stack.enter_context(process))
        yield ",".join(addresses)


@contextmanager
def _everlog_process(
    command: list[str], directory: Path, settings: Mapping[str, str]
) -> Iterator[str]:
    for name, value in settings.items():
        command += ["--set", f"{name}={value}"]
    # Its settings come from variables of that prefix too, and it refuses those it does not know.
    environment = {name: value for name, value in os.environ.items() if name[:8] != "EVERLOG_"}
    log = directory / "everlog.log"
    with (
        log.open("wb") as stderr,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment
        ) as process,
    ):
        try:
            yield _ready_address(process, log)
        finally:
            _stop(process)
        if process.returncode != 0:
            raise ServerError(f"everlog exited with {process.returncode}:\n{_tail(log)}")


def _ready_address(process: subprocess.Popen[str], log: Path) -> str:
    """Return the Kafka address that the ready line names; drain what follows it."""
    assert process.stdout is not None
    deadline = threading.Timer(_START_SECONDS_MAX, process.kill)
    deadline.start()
    try:
        for line in process.stdout:
            words = line.split()
            if words[:2] == ["everlog", "ready"] and "kafka" in words[2:-1]:
                threading.Thread(target=process.stdout.read, daemon=True).start()
                return words[words.index("kafka") + 1]
    finally:
        deadline.cancel()
    raise ServerError(f"everlog ended without a ready line:\n{_tail(log)}")


@contextmanager
def _kafka(directory: Path, settings: Mapping[str, str]) -> Iterator[str]:
    broker, controller = free_port(), free_port()
    data = directory / "data"
    properties = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "listeners": f"PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{broker}",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "log.dirs": str(data),
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
    } | dict(settings)
    config = directory / "server.properties"
    config.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
    jars = os.pathsep.join(map(str, maven_jars("kafka-4.1.0", KAFKA_ARTIFACTS)))
    java = ["java", "-Xmx1g", "-cp", jars]
    identity = ["--cluster-id", "ZXZlcmxvZy1jb25mb3JtYQ"]
    log = directory / "kafka.log"
    with log.open("wb") as output:
        format_storage = [*java, "kafka.tools.StorageTool", "format", *identity, "--config"]
        subprocess.run([*format_storage, str(config)], check=True, stdout=output, stderr=output)
        serve = [*java, "kafka.Kafka", str(config)]
        with subprocess.Popen(serve, stdout=output, stderr=output, text=True) as process:
            try:
                bootstrap = f"127.0.0.1:{broker}"
                _await_metadata(process, bootstrap, log)
                yield bootstrap
            finally:
                _stop(process)


def _await_metadata(process: subprocess.Popen[str], bootstrap: str, log: Path) -> None:
    admin = AdminClient(
        {
            "bootstrap.servers": bootstrap,
            "reconnect.backoff.max.ms": 100,
            "log_level": 0,
        }
    )
    for _ in range(_START_SECONDS_MAX):
        try:
            admin.list_topics(timeout=1)
        except KafkaException:
            if process.poll() is not None:
                break
        else:
            return
    raise ServerError(f"Kafka does not answer on {bootstrap}:\n{_tail(log)}")


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        raise ServerError(f"the server did not stop within {_STOP_SECONDS_MAX} s") from None


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-4000:]
