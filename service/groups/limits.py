"""What groups may take, by the names and defaults that Kafka gives these limits."""

from dataclasses import dataclass

NAME_CHARS_MAX = 8_191
"""Of any name that is stored: in UTF-8 it fits into Kafka's string of at most 32767 bytes."""

_DAY_MS = 24 * 60 * 60 * 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLimits:
    """The limits of one coordinator.

    Attributes:
        group_size_max: Members of one group (``group.max.size``).
        session_timeout_ms_min: Shortest session that may be asked for
            (``group.min.session.timeout.ms``).
        session_timeout_ms_max: Longest one (``group.max.session.timeout.ms``).
        initial_rebalance_delay_ms: How long the first rebalance of an empty group waits for more
            members; each new one extends it (``group.initial.rebalance.delay.ms``).
        new_member_join_timeout_ms: How long the first join of a member may wait. Such a member does
            not know its id yet and cannot send heartbeats; Kafka has the same five minutes.
        member_metadata_bytes_max: Names and metadata of all protocols of one member. Kafka has no
            such limit; it fails later, when the group no longer fits into one record batch.
        offset_metadata_chars_max: The note that comes with a committed offset, in characters
            (``offset.metadata.max.bytes``, which Kafka counts in characters too).
        offsets_retention_ms: How long offsets outlive their use (``offsets.retention.minutes``).
        offsets_retention_check_ms: How often that is looked at
            (``offsets.retention.check.interval.ms``).
        append_timeout_ms: How long a write to the offsets topic may take
            (``offsets.commit.timeout.ms``).
        loads_parallel_max: Partitions that are replayed at the same time.
        load_retry_ms: Pause before a partition that could not be read is replayed again.
    """

    group_size_max: int = 2**31 - 1
    session_timeout_ms_min: int = 6_000
    session_timeout_ms_max: int = 30 * 60 * 1_000
    initial_rebalance_delay_ms: int = 3_000
    new_member_join_timeout_ms: int = 5 * 60 * 1_000
    member_metadata_bytes_max: int = 1024 * 1024
    offset_metadata_chars_max: int = 4_096
    offsets_retention_ms: int = 7 * _DAY_MS
    offsets_retention_check_ms: int = 10 * 60 * 1_000
    append_timeout_ms: int = 5_000
    loads_parallel_max: int = 4
    load_retry_ms: int = 1_000

    def __post_init__(self) -> None:
        if self.offset_metadata_chars_max > NAME_CHARS_MAX:
            raise ValueError(f"offset.metadata.max.bytes is at most {NAME_CHARS_MAX}")
