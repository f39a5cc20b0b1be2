"""Names of things, as types: free at run time, told apart by the type checker."""

import base64
from dataclasses import dataclass
from typing import NewType

NodeId = NewType("NodeId", int)
TopicName = NewType("TopicName", str)
ProducerId = NewType("ProducerId", int)
TopicId = NewType("TopicId", bytes)
"""Sixteen bytes; the all-zero id means "not given" on the wire and never names a topic."""

NO_TOPIC_ID = TopicId(bytes(16))


@dataclass(frozen=True, slots=True)
class TopicPartition:
    """One partition, by the name of its topic."""

    topic: TopicName
    partition: int


@dataclass(frozen=True, slots=True)
class PartitionId:
    """One partition, by the id of its topic: a recreated topic is another one."""

    topic_id: TopicId
    partition: int

    @property
    def text(self) -> str:
        """As logs name it, and the names of its objects."""
        return f"{self.topic_id.hex()}/{self.partition}"


def id_text(raw: bytes) -> str:
    """Write a sixteen-byte id as Kafka prints it: URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def id_bytes(text: str) -> bytes:
    """Read what `id_text` wrote.

    Raises:
        ValueError: The text is not sixteen bytes of URL-safe base64.
    """
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if len(raw) != len(NO_TOPIC_ID):
        raise ValueError(f"{text!r} is not an id: it holds {len(raw)} bytes instead of 16")
    return raw
