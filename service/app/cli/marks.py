"""Where the ends of partitions are, as brokers tell: of the log, and of each of its tiers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from service.app.cli.client_library import Admin, Cluster, kafka, kafka_admin
from service.app.cli.connection import REQUEST_SECONDS_MAX
from service.app.cli.wire import ask

Key = tuple[str, int]
"""A topic's name and a partition's number."""

_EARLIEST_LOCAL = -4
_LATEST_TIERED = -5
_TIERS_VERSION = 9
"""First version of ListOffsets that asks about both tiers (KIP-405, KIP-1005)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """The ends of one partition, as offsets.

    Attributes:
        start: Of the log, on whichever tier.
        end: The high watermark.
        oldest_ms: Timestamp of the first record; None if it has none or is not known, as while it
            is in an object store that is away.
        local_start: First offset on the leader's disk; None if the leader does not tell.
        archived_end: Offset up to which the object store holds the log; None if it does not tell.
    """

    start: int
    end: int
    oldest_ms: int | None = None
    local_start: int | None = None
    archived_end: int | None = None

    @property
    def records(self) -> int:
        """Offsets from start to end."""
        return self.end - self.start

    @property
    def archived(self) -> int | None:
        """Offsets that the object store holds."""
        if self.archived_end is None:
            return None
        return max(0, min(self.archived_end, self.end) - self.start)

    @property
    def upload_lag(self) -> int | None:
        """Offsets that the object store does not hold yet."""
        if self.archived_end is None:
            return None
        return self.end - max(self.start, min(self.archived_end, self.end))


def read_marks(admin: Admin, metadata: Cluster, topics: Iterable[str]) -> dict[Key, Marks]:
    """Ask for the ends of all partitions of topics; those without a leader are left out."""
    keys = [
        (name, number)
        for name in topics
        for number, partition in sorted(metadata.topics[name].partitions.items())
        if partition.leader in metadata.brokers
    ]
    starts = _ask_all(admin, keys, kafka_admin().OffsetSpec.earliest())
    ends = _ask_all(admin, keys, kafka_admin().OffsetSpec.latest())
    # The first record may be in an object that is damaged; all else is known without it.
    spec = kafka_admin().OffsetSpec.for_timestamp(0)
    oldest = _ask_all(admin, keys, spec, passes_damage=True)
    tiers = tier_marks(metadata, keys)
    found: dict[Key, Marks] = {}
    for key in keys:
        if key not in starts or key not in ends:
            continue
        first = oldest.get(key)
        local_start, last_archived = tiers.get(key, (None, None))
        found[key] = Marks(
            start=starts[key].offset,
            end=ends[key].offset,
            oldest_ms=None if first is None or first.timestamp < 0 else first.timestamp,
            local_start=local_start,
            archived_end=None if last_archived is None else last_archived + 1,
        )
    return found


def offsets_at_time(admin: Admin, keys: Iterable[Key], timestamp_ms: int) -> dict[Key, int]:
    """Return the first offset at or after a time, for partitions that have one."""
    found = _ask_all(admin, list(keys), kafka_admin().OffsetSpec.for_timestamp(timestamp_ms))
    return {key: each.offset for key, each in found.items() if each.offset >= 0}


def _ask_all(
    admin: Admin, keys: list[Key], spec: Any, *, passes_damage: bool = False
) -> dict[Key, Any]:
    """Ask for one kind of offset; what cannot be told is left out.

    Args:
        admin: Of the brokers.
        keys: Whom to ask about.
        spec: Which offset.
        passes_damage: Whether what cannot be read is left out, too, and is no error.
    """
    if not keys:
        return {}
    futures = admin.list_offsets(
        {kafka().TopicPartition(*key): spec for key in keys}, request_timeout=REQUEST_SECONDS_MAX
    )
    answers: dict[Key, Any] = {}
    for partition, future in futures.items():
        try:
            answers[partition.topic, partition.partition] = future.result()
        except kafka().KafkaException as error:
            is_unreadable = error.args[0].code() == kafka().KafkaError.KAFKA_STORAGE_ERROR
            if passes_damage and is_unreadable:
                continue
            if not error.args[0].retriable() and not _is_leaderless(error):
                raise
    return answers


def _is_leaderless(error: Any) -> bool:
    return error.args[0].code() in (
        kafka().KafkaError.LEADER_NOT_AVAILABLE,
        kafka().KafkaError.NOT_LEADER_FOR_PARTITION,
        kafka().KafkaError.UNKNOWN_TOPIC_OR_PART,
    )


def tier_marks(metadata: Cluster, keys: list[Key]) -> Mapping[Key, tuple[int | None, int | None]]:
    """Return (first local offset, last archived offset) by partition, as far as leaders tell."""
    by_leader: dict[int, list[Key]] = {}
    for topic, number in keys:
        leader = metadata.topics[topic].partitions[number].leader
        by_leader.setdefault(leader, []).append((topic, number))
    marks: dict[Key, tuple[int | None, int | None]] = {}
    for leader, led in by_leader.items():
        broker = metadata.brokers[leader]
        address = (broker.host, broker.port)
        local, archived = (_landmark(address, led, at) for at in (_EARLIEST_LOCAL, _LATEST_TIERED))
        for key in led:
            marks[key] = local.get(key), archived.get(key)
    return marks


def _landmark(address: tuple[str, int], keys: list[Key], landmark: int) -> dict[Key, int]:
    """Ask one leader; empty if it does not know the question, as brokers before Kafka 4.0."""
    from service.protocol.errors import ProtocolError
    from service.protocol.messages.list_offsets import (
        ListOffsetsPartition,
        ListOffsetsRequest,
        ListOffsetsResponse,
        ListOffsetsTopic,
    )

    wanted: dict[str, list[ListOffsetsPartition]] = {}
    for topic, number in keys:
        one = ListOffsetsPartition(partition_index=number, timestamp=landmark)
        wanted.setdefault(topic, []).append(one)
    request = ListOffsetsRequest(
        topics=[ListOffsetsTopic(name=name, partitions=ones) for name, ones in wanted.items()]
    )
    try:
        answer = ask(address, request, version=_TIERS_VERSION, seconds_max=REQUEST_SECONDS_MAX)
    except (OSError, ProtocolError):
        return {}
    assert isinstance(answer, ListOffsetsResponse)
    return {
        (topic.name, one.partition_index): one.offset
        for topic in answer.topics
        for one in topic.partitions
        if one.error_code == 0
    }
