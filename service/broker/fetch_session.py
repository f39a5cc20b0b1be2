"""One fetch session: the partitions that a client follows, and what it was last told of each.

The rules of KIP-227, as in Kafka's `FetchSession`. A session has its own epoch, which counts its
requests and has nothing to do with leader epochs.
"""

from service.broker.fetch_reading import Wanted
from service.protocol.messages.fetch import (
    FetchableTopicResponse,
    FetchPartition,
    FetchRequest,
    PartitionData,
)

EPOCH_MAX = 2**31 - 1
_NEVER_TOLD = -1

PartitionKey = tuple[str | bytes, int]
"""Topic by the name or the id that the request goes by, and the number of the partition."""


class FollowedPartition:
    """One partition of a session: where to read, and what the last response said of it."""

    __slots__ = (
        "bytes_max",
        "durable_end",
        "fetched_epoch",
        "high_watermark",
        "index",
        "known_high_watermark",
        "leader_epoch",
        "local_start",
        "log_start",
        "offset",
        "skips_archived",
        "stable_offset",
        "told_local_start",
        "topic",
        "topic_id",
    )

    def __init__(self, topic: str, topic_id: bytes, asked: FetchPartition) -> None:
        self.topic = topic
        self.topic_id = topic_id
        self.index = asked.partition
        self.high_watermark = _NEVER_TOLD
        self.stable_offset = _NEVER_TOLD
        self.log_start = _NEVER_TOLD
        self.told_local_start = _NEVER_TOLD
        self.ask(asked)

    def ask(self, asked: FetchPartition) -> None:
        """Take on where to read from now on."""
        self.offset = asked.fetch_offset
        self.bytes_max = asked.partition_max_bytes
        self.leader_epoch = optional(asked.current_leader_epoch)
        self.fetched_epoch = optional(asked.last_fetched_epoch)
        self.durable_end = optional(asked.synced_end)
        self.local_start = asked.local_start
        self.known_high_watermark = optional(asked.high_watermark)
        self.skips_archived = asked.skips_archived

    def wanted(self) -> Wanted:
        """Return what one request wants of it; it is that request's own."""
        return Wanted(
            topic=self.topic,
            topic_id=self.topic_id,
            index=self.index,
            offset=self.offset,
            bytes_max=self.bytes_max,
            leader_epoch=self.leader_epoch,
            fetched_epoch=self.fetched_epoch,
            durable_end=self.durable_end,
            local_start=self.local_start,
            known_high_watermark=self.known_high_watermark,
            skips_archived=self.skips_archived,
        )

    def tell(self, result: PartitionData) -> bool:
        """Whether a response has to hold the result, which counts as told from now on."""
        is_sent_on = result.preferred_read_replica >= 0
        if result.error_code or result.diverging_epoch is not None or is_sent_on:
            # Once the error is over, the client shall hear of it whatever the offsets are then.
            self.high_watermark = _NEVER_TOLD
            return True
        is_news = bool(result.records) or (
            result.high_watermark != self.high_watermark
            or result.last_stable_offset != self.stable_offset
            or result.log_start_offset != self.log_start
            or result.local_start != self.told_local_start
        )
        if is_news:
            self.high_watermark = result.high_watermark
            self.stable_offset = result.last_stable_offset
            self.log_start = result.log_start_offset
            self.told_local_start = result.local_start
        return is_news


Followed = dict[PartitionKey, FollowedPartition]


class FetchSession:
    """A session between two of its requests.

    Attributes:
        epoch: That the next request has to carry.
        partitions: In the order of service: who got something, or an error, goes to the end.
        by_topic_id: Whether its requests name topics by their ids; a session never changes that.
        used_at: When its last request came, in seconds of the monotonic clock.
    """

    __slots__ = ("by_topic_id", "epoch", "id", "partitions", "used_at")

    def __init__(
        self, session_id: int, partitions: Followed, *, by_topic_id: bool, now: float
    ) -> None:
        self.id = session_id
        self.epoch = 1
        self.partitions = partitions
        self.by_topic_id = by_topic_id
        self.used_at = now

    def update(self, request: FetchRequest) -> None:
        """Follow, move and forget what an incremental request names."""
        partitions = self.partitions
        for topic in request.topics:
            name = topic.topic or topic.topic_id
            for asked in topic.partitions:
                known = partitions.get((name, asked.partition))
                if known is None:
                    partitions[name, asked.partition] = FollowedPartition(
                        topic.topic, topic.topic_id, asked
                    )
                else:
                    known.ask(asked)
        for forgotten in request.forgotten_topics_data:
            name = forgotten.topic or forgotten.topic_id
            for index in forgotten.partitions:
                partitions.pop((name, index), None)

    def advance(self, now: float) -> int:
        """Take note of a request; return the epoch that the one after it has to carry."""
        self.epoch = next_epoch(self.epoch)
        self.used_at = now
        return self.epoch

    def put_last(self, key: PartitionKey) -> None:
        """Serve a partition after all others from now on."""
        partition = self.partitions.pop(key, None)
        if partition is not None:
            self.partitions[key] = partition


def followed(request: FetchRequest) -> Followed:
    """Return what a full request names; a partition that is named twice counts as its last."""
    return {
        (topic.topic or topic.topic_id, asked.partition): FollowedPartition(
            topic.topic, topic.topic_id, asked
        )
        for topic in request.topics
        for asked in topic.partitions
    }


def next_epoch(epoch: int) -> int:
    """Return the epoch after ``epoch``; 0 means a full request, so it is left out."""
    return 1 if epoch == EPOCH_MAX else epoch + 1


def optional(number: int) -> int | None:
    """Read an epoch or an offset of which -1 stands for none."""
    return None if number < 0 else number


def by_topic(wanted: list[Wanted], results: list[PartitionData]) -> list[FetchableTopicResponse]:
    """Put results, each of the wanted partition in its place, under their topics."""
    topics: dict[str | bytes, FetchableTopicResponse] = {}
    for each, result in zip(wanted, results, strict=True):
        name = each.topic or each.topic_id
        topic = topics.get(name)
        if topic is None:
            topic = topics[name] = FetchableTopicResponse(topic=each.topic, topic_id=each.topic_id)
        topic.partitions.append(result)
    return list(topics.values())
