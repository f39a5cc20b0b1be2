"""Apache Kafka 4.1.0 from Maven Central: one KRaft node that is broker and controller.

Everything is Kafka's default except where one node needs it otherwise. The options of the JVM are
those of `bin/kafka-server-start.sh` and `bin/kafka-run-class.sh`, which the jars come without.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.comparison import KAFKA
from bench.errors import BenchError
from bench.peers.peer import Archive, Flush
from bench.ports import free_port
from bench.tool import output_of

VERSION = "4.1.0"
LOG4J_VERSION = "2.24.3"
"""The one that Kafka 4.1.0 is distributed with."""

CACHE_VARIABLE = "BENCH_KAFKA_HOME"
JVM_VARIABLE = "BENCH_KAFKA_JVM"
_CLUSTER_ID = "ZXZlcmxvZy1iZW5jaG1hcg"
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
_MAVEN_LIMIT_S = 900
_JAVA_LIMIT_S = 60

_DEPENDENCIES = (
    ("org.apache.kafka", "kafka_2.13", VERSION),
    ("org.apache.kafka", "kafka-tools", VERSION),
    ("org.apache.logging.log4j", "log4j-slf4j-impl", LOG4J_VERSION),
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


class Kafka:
    """Kafka, kept as jars in a cache directory outside the repository."""

    name = KAFKA
    role_words: Mapping[str, str] = {}
    archive: Archive | None = None

    def __init__(self) -> None:
        default = Path.home() / ".cache" / "everlog" / f"kafka-{VERSION}"
        self._home = Path(os.environ.get(CACHE_VARIABLE, default)).absolute()
        self._libs = self._home / "libs"
        self._jvm = os.environ.get(JVM_VARIABLE, " ".join(_JVM)).split()

    def prepare(self) -> None:
        for tool, package in (("java", "a Java 17 runtime"), ("mvn", "Maven")):
            if shutil.which(tool) is None and not (tool == "mvn" and self._complete.exists()):
                raise BenchError(f"{tool} is not on the PATH: install {package}, or --only everlog")
        if self._complete.exists():
            return
        self._home.mkdir(parents=True, exist_ok=True)
        (self._home / "pom.xml").write_text(_pom())
        print(f"kafka {VERSION}: getting its jars from Maven Central, once", flush=True)
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={self._libs}"]
        output_of(["mvn", "-q", "-B", *goal], limit_s=_MAVEN_LIMIT_S, cwd=self._home)
        self._complete.touch()

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
        properties.write_text(
            _PROPERTIES.format(port=port, controller_port=free_port(), logs=data_dir / "logs")
        )
        (data_dir / "log4j2.properties").write_text(_LOGGING)
        tool = [*self._java(data_dir), "kafka.tools.StorageTool", "format", "--standalone"]
        cluster = ["--cluster-id", _CLUSTER_ID, "--config", str(properties)]
        output_of([*tool, *cluster], limit_s=_JAVA_LIMIT_S)

    def command(self, data_dir: Path, port: int) -> Sequence[str]:
        del port  # `format` has written it down; it is the data directory's for good
        return [
            *self._java(data_dir),
            *self._jvm,
            "kafka.Kafka",
            str(data_dir / "server.properties"),
        ]

    def topic_config(self, flush: Flush) -> Mapping[str, str]:
        return {"flush.messages": "1"} if flush is Flush.ALWAYS else {}

    @property
    def _complete(self) -> Path:
        return self._libs / ".complete"

    def _java(self, data_dir: Path) -> list[str]:
        logging = f"-Dlog4j2.configurationFile=file:{data_dir / 'log4j2.properties'}"
        return ["java", logging, "-cp", str(self._libs / "*")]


def _pom() -> str:
    dependencies = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
        f"<version>{version}</version></dependency>"
        for group, artifact, version in _DEPENDENCIES
    )
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>everlog.bench</groupId><artifactId>kafka</artifactId><version>1</version>"
        f"<packaging>pom</packaging><dependencies>{dependencies}</dependencies></project>\n"
    )
