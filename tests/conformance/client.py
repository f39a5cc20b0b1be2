"""What the suite asks of a client; one adapter per client says it in that client's words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.conformance.records import Record

# Members notice a rebalance at their next heartbeat.
HEARTBEAT_MS = 200
SESSION_MS = 10_000

# The most that brokers remember of an idempotent producer.
IN_FLIGHT_MAX = 5

EARLIEST = -2
LATEST = -1

# By partition: the next offset to read, and the text that was committed with it.
Committed = dict[int, tuple[int, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where a client finds the server, and a directory for its files."""

    bootstrap: str
    directory: Path


class ClientError(Exception):
    """A client failed, or did not bring what it was asked for."""


class Member(Protocol):
    """A consumer in a group; it reads from the committed offsets, or from the start."""

    def assigned(self) -> frozenset[int]:
        """Serve the client for a moment; return the partitions that it holds now."""

    def read(self, count: int) -> list[Record]:
        """Return the next ``count`` records; more when they came in one fetch."""

    def commit(self, offsets: Mapping[int, int], metadata: str) -> None:
        """Commit the next offset to read of each partition."""

    def leave(self) -> None:
        """Leave the group; nothing more is committed."""


class Admin(Protocol):
    """The administrative half of a client."""

    def create_topic(self, topic: str, partitions: int, config: Mapping[str, str]) -> None: ...

    def delete_topic(self, topic: str) -> None: ...

    def topics(self) -> frozenset[str]: ...

    def partitions(self, topic: str) -> frozenset[int]: ...

    def config(self, topic: str, name: str) -> str: ...

    def set_config(self, topic: str, name: str, value: str) -> None: ...

    def offset_at(self, topic: str, partition: int, timestamp_ms: int) -> int | None:
        """Return the first offset at or after a time; also EARLIEST and LATEST."""

    def delete_records(self, topic: str, partition: int, before: int) -> None: ...

    def group(self, group: str) -> tuple[str, int]:
        """Return a group's state and its number of members."""

    def committed(self, group: str, topic: str) -> Committed:
        """Return what a group has committed, by partition."""


class Client(Protocol):
    """A Kafka client under test."""

    def produce(
        self, topic: str, records: Sequence[Record], *, codec: str, idempotent: bool
    ) -> None:
        """Write the records in order, each to its partition; all are acknowledged on return."""

    def consume(self, topic: str, count: int) -> list[Record]:
        """Read all partitions from their start until ``count`` records have come."""

    def join(self, group: str, topic: str) -> Member:
        """Start a consumer in a group."""

    def close(self) -> None:
        """Let go of connections and processes."""


class AdminClient(Client, Protocol):
    """A Kafka client with an administrative half."""

    @property
    def admin(self) -> Admin: ...
