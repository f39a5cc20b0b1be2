"""Settings of a topic that say how its log is kept: retention, segments, durability."""

import re
from functools import partial

from service.model.config_definition import Importance, Setting, Synonym
from service.model.setting_type import (
    DAY_MS,
    HOUR_MS,
    KIB,
    LONG_MAX,
    MIB,
    MINUTE_MS,
    SECOND_MS,
    SettingType,
    Value,
)

_boolean = partial(Setting, type=SettingType.BOOLEAN, dynamic=True)
_int = partial(Setting, type=SettingType.INT, dynamic=True)
_long = partial(Setting, type=SettingType.LONG, dynamic=True)
_list = partial(Setting, type=SettingType.LIST, dynamic=True)


def _throttled_replicas(value: Value) -> str | None:
    """Check ``*``, or entries ``partition:broker``."""
    assert isinstance(value, tuple), "a list is read as a tuple"
    well_formed = all(re.fullmatch(r"[0-9]+:[0-9]+", entry, re.ASCII) for entry in value)
    return None if well_formed or value == ("*",) else "write * or a list of partition:broker"


_RETENTION = (
    _list(
        name="cleanup.policy",
        default=("delete",),
        choices=("compact", "delete"),
        documentation=(
            "What happens to old records: delete removes them after retention.ms and "
            "retention.bytes, compact keeps the newest of each key; both may be given. A topic "
            "with compact is not tiered."
        ),
        synonyms=(Synonym("log.cleanup.policy"),),
    ),
    _long(
        name="retention.ms",
        default=-1,
        low=-1,
        importance=Importance.HIGH,
        documentation=(
            "How long records are kept, on all tiers, in milliseconds; -1 keeps them for ever."
        ),
        synonyms=(
            Synonym("log.retention.ms"),
            Synonym("log.retention.minutes", MINUTE_MS),
            Synonym("log.retention.hours", HOUR_MS),
        ),
    ),
    _long(
        name="retention.bytes",
        default=-1,
        low=-1,
        importance=Importance.HIGH,
        documentation="How many bytes of a partition are kept, on all tiers; -1 sets no limit.",
        synonyms=(Synonym("log.retention.bytes"),),
    ),
    _long(
        name="delete.retention.ms",
        default=DAY_MS,
        low=0,
        documentation=(
            "How long the mark of a deleted key outlives its first compaction, in milliseconds."
        ),
        synonyms=(Synonym("log.cleaner.delete.retention.ms"),),
    ),
    _long(
        name="min.compaction.lag.ms",
        default=0,
        low=0,
        documentation=(
            "How old a record is at least before it can be compacted away, in milliseconds."
        ),
        synonyms=(Synonym("log.cleaner.min.compaction.lag.ms"),),
    ),
    _long(
        name="max.compaction.lag.ms",
        default=LONG_MAX,
        low=1,
        documentation="How old a record is at most when compaction sees it first, in milliseconds.",
        synonyms=(Synonym("log.cleaner.max.compaction.lag.ms"),),
    ),
    Setting(
        name="min.cleanable.dirty.ratio",
        type=SettingType.DOUBLE,
        dynamic=True,
        default=0.5,
        low=0,
        high=1,
        documentation=(
            "Share of a log's sealed bytes that must be new since the last compaction before the "
            "next one; 64 new segments are enough whatever their share is."
        ),
        synonyms=(Synonym("log.cleaner.min.cleanable.ratio"),),
    ),
)

_SEGMENTS = (
    _int(
        name="segment.bytes",
        default=64 * MIB,
        # Kafka asks for a mebibyte; smaller segments make short tests of long logs.
        low=KIB,
        importance=Importance.HIGH,
        documentation="Size at which a local segment is sealed and a new one begun, in bytes.",
        synonyms=(Synonym("log.segment.bytes"),),
    ),
    _long(
        name="segment.ms",
        default=10 * MINUTE_MS,
        low=1,
        importance=Importance.HIGH,
        documentation=(
            "Age at which a local segment is sealed although it is small, in milliseconds. It "
            "bounds how far the archive is behind."
        ),
        synonyms=(Synonym("log.roll.ms"), Synonym("log.roll.hours", HOUR_MS)),
    ),
    _long(
        name="segment.jitter.ms",
        default=0,
        low=0,
        documentation="Random time taken off segment.ms, in milliseconds.",
        synonyms=(Synonym("log.roll.jitter.ms"), Synonym("log.roll.jitter.hours", HOUR_MS)),
        no_effect=(
            "the age of a segment counts from its first record, which spreads the work already"
        ),
    ),
    _int(
        name="index.interval.bytes",
        default=4096,
        low=0,
        importance=Importance.LOW,
        documentation="Bytes of records between two entries of the index of offsets.",
        synonyms=(Synonym("log.index.interval.bytes"),),
    ),
    _int(
        name="segment.index.bytes",
        default=10 * MIB,
        low=4,
        importance=Importance.LOW,
        documentation="Greatest size of the index of a segment, in bytes.",
        synonyms=(Synonym("log.index.size.max.bytes"),),
        no_effect="an index grows with its segment and is not allocated ahead",
    ),
    _boolean(
        name="preallocate",
        default=False,
        importance=Importance.LOW,
        documentation="Whether the file of a segment is allocated before it is written.",
        synonyms=(Synonym("log.preallocate"),),
        no_effect="files grow as they are written",
    ),
    _long(
        name="file.delete.delay.ms",
        default=MINUTE_MS,
        low=0,
        importance=Importance.LOW,
        documentation=(
            "Time between the end of a local segment's life and its removal, in milliseconds."
        ),
        synonyms=(Synonym("log.segment.delete.delay.ms"),),
        no_effect="files are removed at once, and whoever is reading one finishes undisturbed",
    ),
)

_DURABILITY = (
    _long(
        name="flush.messages",
        default=1,
        low=1,
        importance=Importance.HIGH,
        documentation=(
            "1 syncs every batch to disk before it is acknowledged. Any larger number syncs every "
            "flush.ms instead; the number itself is not counted."
        ),
        synonyms=(Synonym("log.flush.interval.messages"),),
    ),
    _long(
        name="flush.ms",
        default=SECOND_MS,
        low=0,
        documentation=(
            "Longest time that a written record stays unsynced when flush.messages is above 1, in "
            "milliseconds; 0 syncs every batch."
        ),
        synonyms=(Synonym("log.flush.interval.ms"), Synonym("log.flush.scheduler.interval.ms")),
    ),
    _int(
        name="min.insync.replicas",
        default=2,
        low=1,
        importance=Importance.HIGH,
        documentation=(
            "How many replicas must hold a record before acks=all is answered; never more than the "
            "partition has."
        ),
        synonyms=(Synonym("min.insync.replicas"),),
    ),
    _boolean(
        name="unclean.leader.election.enable",
        default=False,
        importance=Importance.HIGH,
        documentation=(
            "Whether a replica that was not in sync may lead when no other is left; acknowledged "
            "records that are not archived yet can be lost then."
        ),
        synonyms=(Synonym("unclean.leader.election.enable"),),
    ),
    _list(
        name="leader.replication.throttled.replicas",
        default=(),
        rule=_throttled_replicas,
        importance=Importance.LOW,
        documentation=(
            "Replicas whose leaders send at a limited rate while they are not in sync: "
            "partition:broker, or * for all (leader.replication.throttled.rate)."
        ),
    ),
    _list(
        name="follower.replication.throttled.replicas",
        default=(),
        rule=_throttled_replicas,
        importance=Importance.LOW,
        documentation=(
            "Replicas that fetch at a limited rate while they are not in sync: partition:broker, "
            "or * for all (follower.replication.throttled.rate)."
        ),
    ),
)

LOG_SETTINGS = (*_RETENTION, *_SEGMENTS, *_DURABILITY)
