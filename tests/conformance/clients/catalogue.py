"""The clients of the suite, and what of Kafka each of them is able to say."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tests.conformance.client import Client, Surroundings
from tests.conformance.clients import agent, aio, kafka_python, kcat
from tests.conformance.clients.confluent import ConfluentClient
from tests.conformance.records import Shape

JAVA_ENV = "CONFORMANCE_JAVA"

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
_ANYTHING = Shape()


def _nothing_missing() -> str | None:
    return None


def _missing_program(program: str, package: str) -> str | None:
    return None if shutil.which(program) else f"{program} is not installed ({package})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of client."""

    name: str
    start: Callable[[Surroundings], Client]
    missing: Callable[[], str | None] = _nothing_missing  # why it cannot run here, if so
    codecs: tuple[str, ...] = CODECS
    shape: Shape = _ANYTHING
    administers: bool = True
    commits_at_will: bool = True  # False: only what it has read, when it leaves
    reads_metadata: bool = True  # of committed offsets


CONFLUENT = Kind(name="confluent-kafka", start=ConfluentClient, reads_metadata=False)

_FROM_PIP_APT_AND_NPM = (
    CONFLUENT,
    Kind(
        name="aiokafka",
        start=aio.AiokafkaClient,
        shape=Shape(null_key_and_value=False),
    ),
    Kind(
        name="kafka-python",
        start=kafka_python.KafkaPythonClient,
        codecs=kafka_python.CODECS,
        shape=Shape(null_key_and_value=False, null_headers=False),
    ),
    Kind(
        name="kcat",
        start=kcat.KcatClient,
        missing=partial(_missing_program, "kcat", "apt-get install kcat"),
        shape=Shape(timestamps=False, own_headers=False, empty_keys_and_values=False),
        administers=False,
        commits_at_will=False,
    ),
    Kind(
        name="kafkajs",
        start=agent.kafkajs,
        missing=partial(_missing_program, "npm", "apt-get install nodejs npm"),
        shape=Shape(null_headers=False),
    ),
)

_FROM_MAVEN = (
    Kind(name="java-4.1", start=partial(agent.java, version="4.1.0")),
    Kind(name="java-2.8", start=partial(agent.java, version="2.8.2")),
)


def kinds() -> tuple[Kind, ...]:
    """Return the clients that are asked for here."""
    return _FROM_PIP_APT_AND_NPM + (_FROM_MAVEN if os.environ.get(JAVA_ENV) else ())


def left_out() -> list[str]:
    """Return, a line each, what is not tested here and why."""
    lines = [f"{kind.name}: {reason}" for kind in kinds() if (reason := kind.missing())]
    lines += [
        f"{kind.name} with {', '.join(sorted(lacking))}: its codec packages are not installed"
        for kind in kinds()
        if (lacking := set(CODECS) - set(kind.codecs))
    ]
    if not os.environ.get(JAVA_ENV):
        names = ", ".join(kind.name for kind in _FROM_MAVEN)
        lines.append(f"{names}: need Maven and a JDK, set {JAVA_ENV}=1 (make conformance)")
    return lines
