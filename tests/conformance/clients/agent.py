"""Clients of other languages: one program per client, told what to do line by line.

A request is one line of words with tabs between them; the answer is one line, ``ok`` and words,
or ``error`` and a message. Records travel in files (``record_file.py``).
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from itertools import count as count_from
from pathlib import Path

from tests.conformance.client import ClientError, Committed, Surroundings
from tests.conformance.package_cache import maven_jars, npm_modules, run_tool
from tests.conformance.record_file import read_records, write_records
from tests.conformance.records import Record

_HERE = Path(__file__).parent
# The codecs are the packages that KafkaJS's documentation leaves to its users.
_NODE_PACKAGES = ("kafkajs@2.2.4", "kafkajs-snappy@1.1.0", "lz4-napi@2.10.0", "zstd-codec@0.1.5")


class Agent:
    """The program of a client, and the conversation with it."""

    def __init__(self, command: Sequence[str], surroundings: Surroundings, name: str) -> None:
        self._directory = surroundings.directory
        self._log = surroundings.directory / f"{name}.log"
        self._numbers = count_from()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, surroundings.bootstrap],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                encoding="utf-8",
            )

    def ask(self, *words: object) -> list[str]:
        """Send a request and return the words of its answer.

        Raises:
            ClientError: The client failed, or its program ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\t".join(map(str, words)) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        outcome, *answer = line.rstrip("\n").split("\t")
        if outcome != "ok":
            log = self._log.read_text(errors="replace")[-3000:]
            raise ClientError(f"{words[0]}: {line.strip() or 'the program ended'}\n{log}")
        return [word for word in answer if word]

    def send_records(self, records: Sequence[Record], *words: object) -> None:
        """Make a request whose last word is a file of records."""
        path = self._new_path()
        write_records(path, records)
        self.ask(*words, path)
        path.unlink()

    def fetch_records(self, *words: object) -> list[Record]:
        """Make a request whose last word is the file that the program is to write."""
        path = self._new_path()
        self.ask(*words, path)
        records = read_records(path)
        path.unlink()
        return records

    def new_name(self) -> str:
        """Return a name that the program has not heard yet."""
        return f"m{next(self._numbers)}"

    def _new_path(self) -> Path:
        return self._directory / f"records-{self.new_name()}"

    def close(self) -> None:
        """End the program by ending its input."""
        self._process.communicate(timeout=30)


class AgentClient:
    """A client that lives in a program of its own."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self.admin = AgentAdmin(agent)

    def produce(
        self, topic: str, records: Sequence[Record], *, codec: str, idempotent: bool
    ) -> None:
        self._agent.send_records(records, "produce", topic, codec, str(idempotent).lower())

    def consume(self, topic: str, count: int) -> list[Record]:
        return self._agent.fetch_records("consume", topic, count)

    def join(self, group: str, topic: str) -> "AgentMember":
        return AgentMember(self._agent, group, topic)

    def close(self) -> None:
        self._agent.close()


class AgentMember:
    """A group consumer inside the program."""

    def __init__(self, agent: Agent, group: str, topic: str) -> None:
        self._agent = agent
        self._name = agent.new_name()
        agent.ask("join", self._name, group, topic)

    def assigned(self) -> frozenset[int]:
        return frozenset(map(int, self._agent.ask("assigned", self._name)))

    def read(self, count: int) -> list[Record]:
        return self._agent.fetch_records("read", self._name, count)

    def commit(self, offsets: Mapping[int, int], metadata: str) -> None:
        pairs = [f"{partition}={offset}" for partition, offset in offsets.items()]
        self._agent.ask("commit", self._name, metadata, *pairs)

    def leave(self) -> None:
        self._agent.ask("leave", self._name)


class AgentAdmin:
    """The program's admin client."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def create_topic(self, topic: str, partitions: int, config: Mapping[str, str]) -> None:
        pairs = [f"{name}={value}" for name, value in config.items()]
        self._agent.ask("create-topic", topic, partitions, *pairs)

    def delete_topic(self, topic: str) -> None:
        self._agent.ask("delete-topic", topic)

    def topics(self) -> frozenset[str]:
        return frozenset(self._agent.ask("topics"))

    def partitions(self, topic: str) -> frozenset[int]:
        return frozenset(map(int, self._agent.ask("partitions", topic)))

    def config(self, topic: str, name: str) -> str:
        return self._agent.ask("config", topic, name)[0]

    def set_config(self, topic: str, name: str, value: str) -> None:
        self._agent.ask("set-config", topic, name, value)

    def offset_at(self, topic: str, partition: int, timestamp_ms: int) -> int | None:
        offset = int(self._agent.ask("offset-at", topic, partition, timestamp_ms)[0])
        return None if offset < 0 else offset

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        self._agent.ask("delete-records", topic, partition, before)

    def group(self, group: str) -> tuple[str, int]:
        state, members = self._agent.ask("group", group)
        return state.lower(), int(members)

    def committed(self, group: str, topic: str) -> Committed:
        triples = (word.split("=", 2) for word in self._agent.ask("committed", group, topic))
        return {int(each[0]): (int(each[1]), each[2]) for each in triples}


def kafkajs(surroundings: Surroundings) -> AgentClient:
    """Start KafkaJS 2.2.4 in Node."""
    modules = npm_modules("kafkajs-2.2.4", _NODE_PACKAGES)
    command = ["env", f"NODE_PATH={modules}", "node", str(_HERE / "node" / "agent.js")]
    return AgentClient(Agent(command, surroundings, "kafkajs"))


def java(surroundings: Surroundings, version: str) -> AgentClient:
    """Compile the Java program against a version of kafka-clients and start it."""
    artifacts = [f"org.apache.kafka:kafka-clients:{version}"]
    jars = maven_jars(f"kafka-clients-{version}", artifacts)
    classes = surroundings.directory / f"classes-{version}"
    classes.mkdir()
    path = os.pathsep.join(map(str, [*jars, classes]))
    source = _HERE / "java" / "Agent.java"
    run_tool(["javac", "-cp", path, "-d", str(classes), str(source)], cwd=classes)
    command = ["java", "-Xmx512m", "-cp", path, "Agent"]
    return AgentClient(Agent(command, surroundings, f"java-{version}"))
