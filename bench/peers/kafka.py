"""Apache Kafka 4.1.0 from Maven Central: one KRaft node that is broker and controller.

Everything is Kafka's default except where one node needs it otherwise. The options of the JVM are
those of `bin/kafka-server-start.sh` and `bin/kafka-run-class.sh`, which the jars come without.

Its second tier, if it is given one, is `LocalTieredStorage`, a directory: the only store that Kafka
comes with, among the classes of its tests, with the topic that keeps the metadata in production.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.comparison import KAFKA
from bench.errors import BenchError
from bench.peers.maven import Artifact, fetch_jars
from bench.peers.peer import Archive, Flush
from bench.tool import output_of
from everlog.testing.ports import free_port

VERSION = "4.1.0"
LOG4J_VERSION = "2.24.3"
"""The one that Kafka 4.1.0 is distributed with."""

CACHE_VARIABLE = "BENCH_KAFKA_HOME"
JVM_VARIABLE = "BENCH_KAFKA_JVM"
CLUSTER_ID = "ZXZlcmxvZy1iZW5jaG1hcg"
_JVM = (
    "-server",
    "-Xmx1g",
    "-Xms1g",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-Djava.awt.headless=true",
)
_JAVA_LIMIT_S = 60

_SERVER = (
    Artifact("org.apache.kafka", "kafka_2.13", VERSION),
    Artifact("org.apache.kafka", "kafka-tools", VERSION),
    Artifact("org.apache.logging.log4j", "log4j-slf4j-impl", LOG4J_VERSION),
)
_TIERED_STORAGE = tuple(
    Artifact("org.apache.kafka", name, VERSION, "test")
    for name in ("kafka-storage", "kafka-clients", "kafka-server-common")
)

_LOGGING = """\
rootLogger.level=warn
rootLogger.appenderRef.stderr.ref=stderr
appender.stderr.type=Console
appender.stderr.name=stderr
appender.stderr.target=SYSTEM_ERR
appender.stderr.layout.type=PatternLayout
appender.stderr.layout.pattern=%d %p %m (%c)%n
"""

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:{controller_port}
log.dirs={logs}
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
"""

# Looks at its logs each second, as Everlog does when there is something to move; by default that
# would take half a minute, and five until what has been copied is dropped.
_ARCHIVE_PROPERTIES = """\
remote.log.storage.system.enable=true
remote.log.storage.manager.class.name=org.apache.kafka.server.log.remote.storage.LocalTieredStorage
remote.log.metadata.manager.listener.name=PLAINTEXT
rlmm.config.remote.log.metadata.topic.replication.factor=1
rsm.config.dir={store}
remote.log.manager.task.interval.ms=1000
log.retention.check.interval.ms=1000
log.initial.task.delay.ms=1000
"""

_ARCHIVED_TOPIC: Mapping[str, str] = {
    "remote.storage.enable": "true",
    "local.retention.bytes": "1",
    # As large as Everlog's.
    "segment.bytes": str(64 << 20),
    "file.delete.delay.ms": "0",
}


class Kafka:
    """Kafka, kept as jars in a cache directory outside the repository.

    Args:
        archived: Whether it has a second tier.
    """

    name = KAFKA
    brokers = 1
    role_words: Mapping[str, str] = {}

    def __init__(self, *, archived: bool = False) -> None:
        default = Path.home() / ".cache" / "everlog" / f"kafka-{VERSION}"
        home = Path(os.environ.get(CACHE_VARIABLE, default)).absolute()
        self._jars: dict[Path, Sequence[Artifact]] = {home / "libs": _SERVER}
        self.archive: Archive | None = None
        if archived:
            self._jars[home / "tiered-storage"] = _TIERED_STORAGE
            self.archive = Archive(_ARCHIVED_TOPIC, self._local_start)
        self._jvm = os.environ.get(JVM_VARIABLE, " ".join(_JVM)).split()

    def prepare(self) -> None:
        if shutil.which("java") is None:
            raise BenchError(
                "java is not on the PATH: install a Java 17 runtime, or --only everlog"
            )
        for directory, artifacts in self._jars.items():
            fetch_jars(directory, artifacts)

    def versions(self) -> Mapping[str, str]:
        shown = output_of(["java", "--version"], limit_s=_JAVA_LIMIT_S)
        return {
            "kafka": VERSION,
            "java": shown.splitlines()[0],
            "java_options": " ".join(self._jvm),
        }

    def format(self, data_dir: Path, port: int) -> None:
        data_dir.mkdir(parents=True, exist_ok=True)
        properties = data_dir / "server.properties"
        text = _PROPERTIES if self.archive is None else _PROPERTIES + _ARCHIVE_PROPERTIES
        places = {"logs": data_dir / "logs", "store": data_dir / "store"}
        properties.write_text(text.format(port=port, controller_port=free_port(), **places))
        self.write_logging(data_dir)
        tool = [*self.java(data_dir), "kafka.tools.StorageTool", "format", "--standalone"]
        cluster = ["--cluster-id", CLUSTER_ID, "--config", str(properties)]
        output_of([*tool, *cluster], limit_s=_JAVA_LIMIT_S)

    def command(self, data_dir: Path, port: int, settings: Sequence[str]) -> Sequence[str]:
        del port  # `format` has written it down; it is the data directory's for good
        return [
            *self.java(data_dir),
            *self._jvm,
            "kafka.Kafka",
            str(data_dir / "server.properties"),
            *(part for each in settings for part in ("--override", each)),
        ]

    def topic_config(self, flush: Flush) -> Mapping[str, str]:
        return {"flush.messages": "1"} if flush is Flush.ALWAYS else {}

    def _local_start(self, bootstrap: str, topic: str) -> int:
        tool = [*self._class_path(), "org.apache.kafka.tools.GetOffsetShell"]
        asked = ["--bootstrap-server", bootstrap, "--topic", topic, "--time", "earliest-local"]
        return offset_in(output_of([*tool, *asked], limit_s=_JAVA_LIMIT_S))

    def write_logging(self, data_dir: Path) -> None:
        """Have a server of that directory say what goes wrong, on its stderr."""
        (data_dir / "log4j2.properties").write_text(_LOGGING)

    def java(self, data_dir: Path) -> list[str]:
        """Return the beginning of a command with Kafka's classes, for that directory."""
        logging = f"-Dlog4j2.configurationFile=file:{data_dir / 'log4j2.properties'}"
        return [*self._class_path(), logging]

    def _class_path(self) -> list[str]:
        return ["java", "-cp", os.pathsep.join(f"{directory}/*" for directory in self._jars)]


def offset_in(said: str) -> int:
    """Read ``topic:0:offset``, perhaps behind warnings of a logger that nobody has set up.

    Raises:
        BenchError: There is no such line; one without an offset is of a partition without a leader.
    """
    for line in said.splitlines():
        _, _, offset = line.strip().rpartition(":0:")
        if offset.isdigit():
            return int(offset)
    raise BenchError(f"Kafka tells no offset: {said}")
