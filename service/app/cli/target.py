"""The topic that records are sent to, and why it refuses one."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from service.app.cli.client_library import (
    INVALID_RECORD,
    INVALID_TOPIC,
    TOO_LARGE,
    UNKNOWN_PARTITION,
    Admin,
)
from service.app.cli.topic_options import is_compacted, read_cluster, read_settings

_BATCH_BYTES_MAX = "max.message.bytes"
_BATCH_BYTES_MAX_DEFAULT = 1024 * 1024 + 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A topic, as far as a producer has to know it.

    Attributes:
        partitions: Their numbers; empty if the topic is not there yet.
        batch_bytes_max: The largest batch that it takes, as compressed.
    """

    topic: str
    partitions: Collection[int]
    batch_bytes_max: int = _BATCH_BYTES_MAX_DEFAULT
    is_compacted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A record that was not written.

    Attributes:
        code: Of Kafka, or of the client library.
        text: What either says.
        line: Its number in the input, from 1; None if that is not known.
        size: Of key and value, in bytes.
    """

    code: int
    text: str
    line: int | None = None
    size: int = 0


def read_target(admin: Admin, topic: str) -> Target:
    """Ask what is known of a topic."""
    found = read_cluster(admin).topics.get(topic)
    if found is None:
        return Target(topic=topic, partitions=())
    settings = read_settings(admin, [topic])[topic]
    limit = settings.get(_BATCH_BYTES_MAX)
    return Target(
        topic=topic,
        partitions=sorted(found.partitions),
        batch_bytes_max=_BATCH_BYTES_MAX_DEFAULT if limit is None else int(limit.value),
        is_compacted=is_compacted(settings),
    )


def reason(refusal: Refusal, target: Target, fixed: dict[str, Any]) -> str:
    """Say why a record was refused.

    Args:
        refusal: Of the record.
        target: What was written to, as it is now.
        fixed: What all records had in common.
    """
    topic = target.topic
    line = "a line" if refusal.line is None else f"line {refusal.line:,}"
    if refusal.code == TOO_LARGE:
        limit = f"{topic} takes at most {target.batch_bytes_max:,} ({_BATCH_BYTES_MAX})"
        return f"{line} has {refusal.size:,} bytes; {limit}"
    if refusal.code == INVALID_RECORD and target.is_compacted:
        return f"{line} has no key, and {topic} is compacted; see --key-sep"
    if refusal.code == INVALID_TOPIC:
        return f"{topic} is written by the broker itself"
    if refusal.code == UNKNOWN_PARTITION and target.partitions:
        last = max(target.partitions)
        return f"{topic} has no partition {fixed.get('partition')}; its last one is {last}"
    return refusal.text
