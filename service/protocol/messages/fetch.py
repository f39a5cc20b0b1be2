"""Fetch, key 1: v7 sessions (KIP-227), v9 epochs (320), v11 racks (392), v12 divergence (595).

v13 has topic ids (KIP-516), v15 the replica's epoch (903), v16 new leaders (951), v17 directories.
"""

from collections.abc import Sequence

from service.protocol.api import ApiKey
from service.protocol.primitives import Buffer
from service.protocol.schema import Request, Response, Struct
from service.protocol.schema_fields import (
    PRIVATE_TAG_FIRST,
    array,
    boolean,
    int8,
    int16,
    int32,
    int64,
    record_batches,
    string,
    struct,
    uuid,
)


class ReplicaState(Struct):
    """Which replica fetches, if not a consumer."""

    replica_id: int = int32("15+", default=-1)
    replica_epoch: int = int64("15+", default=-1)


class FetchPartition(Struct):
    """Where to read one partition.

    Replicas of Everlog add up to where they have it safely, from where on it is on their disks,
    what they know to be committed, if they want to be told as soon as that is more, and whether
    they do without what is archived.
    """

    partition: int = int32()
    current_leader_epoch: int = int32("9+", default=-1)
    fetch_offset: int = int64()
    last_fetched_epoch: int = int32("12+", default=-1, ignorable=False)
    log_start_offset: int = int64("5+", default=-1)
    partition_max_bytes: int = int32()
    replica_directory_id: bytes = uuid("17+", tag=0)
    synced_end: int = int64("12+", tag=PRIVATE_TAG_FIRST, default=-1)
    local_start: int = int64("12+", tag=PRIVATE_TAG_FIRST + 1, default=-1)
    high_watermark: int = int64("12+", tag=PRIVATE_TAG_FIRST + 2, default=-1)
    skips_archived: bool = boolean("12+", tag=PRIVATE_TAG_FIRST + 3)


class FetchTopic(Struct):
    """The partitions of one topic."""

    topic: str = string("0-12")
    topic_id: bytes = uuid("13+")
    partitions: list[FetchPartition] = array(FetchPartition)


class ForgottenTopic(Struct):
    """Partitions to drop from the session."""

    topic: str = string("7-12")
    topic_id: bytes = uuid("13+")
    partitions: list[int] = array(int32(), "7+")


class FetchRequest(Request, api=ApiKey.FETCH):
    """Read batches from partitions, waiting for ``min_bytes`` of them for up to ``max_wait_ms``."""

    cluster_id: str | None = string("12+", nullable="12+", default=None, tag=0)
    replica_id: int = int32("0-14", default=-1)
    replica_state: ReplicaState | None = struct(ReplicaState, "15+", tag=1)
    max_wait_ms: int = int32()
    min_bytes: int = int32()
    max_bytes: int = int32("3+", default=0x7FFFFFFF)
    isolation_level: int = int8("4+")
    session_id: int = int32("7+")
    session_epoch: int = int32("7+", default=-1)
    topics: list[FetchTopic] = array(FetchTopic)
    forgotten_topics_data: list[ForgottenTopic] = array(ForgottenTopic, "7+", ignorable=False)
    rack_id: str = string("11+")


class EpochEndOffset(Struct):
    """The largest epoch at which the reader's log agrees, and where it ends."""

    epoch: int = int32("12+", default=-1)
    end_offset: int = int64("12+", default=-1)


class LeaderIdAndEpoch(Struct):
    """Who leads now."""

    leader_id: int = int32("12+", default=-1)
    leader_epoch: int = int32("12+", default=-1)


class SnapshotId(Struct):
    """A snapshot to fetch instead; only metadata quorums have them."""

    end_offset: int = int64(default=-1)
    epoch: int = int32(default=-1)


class AbortedTransaction(Struct):
    """A transaction whose records a committed reader leaves out."""

    producer_id: int = int64("4+")
    first_offset: int = int64("4+")


class PartitionData(Struct):
    """What one partition had to give; to replicas, also where it starts on the leader's disk."""

    partition_index: int = int32()
    error_code: int = int16()
    high_watermark: int = int64()
    last_stable_offset: int = int64("4+", default=-1)
    log_start_offset: int = int64("5+", default=-1)
    diverging_epoch: EpochEndOffset | None = struct(EpochEndOffset, "12+", tag=0)
    current_leader: LeaderIdAndEpoch | None = struct(LeaderIdAndEpoch, "12+", tag=1)
    snapshot_id: SnapshotId | None = struct(SnapshotId, "12+", tag=2)
    local_start: int = int64("12+", tag=PRIVATE_TAG_FIRST, default=-1)
    aborted_transactions: list[AbortedTransaction] | None = array(
        AbortedTransaction, "4+", nullable="4+"
    )
    preferred_read_replica: int = int32("11+", default=-1)
    records: Buffer | Sequence[Buffer] | None = record_batches(nullable="0+")


class FetchableTopicResponse(Struct):
    """The partitions of one topic."""

    topic: str = string("0-12")
    topic_id: bytes = uuid("13+")
    partitions: list[PartitionData] = array(PartitionData)


class NodeEndpoint(Struct):
    """Where a leader that the response names can be reached."""

    node_id: int = int32("16+")
    host: str = string("16+")
    port: int = int32("16+")
    rack: str | None = string("16+", nullable="16+", default=None)


class FetchResponse(Response, api=ApiKey.FETCH):
    """The batches of each partition; in a session, only of those that have something new."""

    throttle_time_ms: int = int32("1+")
    error_code: int = int16("7+")
    session_id: int = int32("7+")
    responses: list[FetchableTopicResponse] = array(FetchableTopicResponse)
    node_endpoints: list[NodeEndpoint] = array(NodeEndpoint, "16+", tag=0)
