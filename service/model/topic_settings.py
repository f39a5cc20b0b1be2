"""The settings of a topic: those of Kafka 4.1, and Everlog's own.

Defaults that differ from Kafka's are those of a log that never forgets and never loses: tiered,
kept for ever, synced before it is acknowledged.
"""

from collections.abc import Mapping
from functools import partial

from everlog.model.object_lock import LockMode
from everlog.model.storage_class import CLASS_NAMES, StorageClass, class_fault
from service.model.config_definition import Importance, Setting, Synonym, by_name
from service.model.setting_type import (
    DAY_MS,
    GIB,
    HOUR_MS,
    KIB,
    LONG_MAX,
    MIB,
    SettingType,
    Value,
)
from service.model.topic_log_settings import LOG_SETTINGS

RETIRED_TOPIC_SETTINGS = frozenset(
    {
        "message.downconversion.enable",
        "message.format.version",
        "message.timestamp.difference.max.ms",
    }
)
"""Gone since Kafka 4.0, and still sent by older tools: taken, and neither used nor described."""

HOLD = "archive.hold"
LOCK_MODE, LOCK_MS = "archive.object.lock.mode", "archive.object.lock.ms"
NO_LOCK = "none"

_LOCK_MS_MIN = 60_000
"""A shorter one might be over before the upload is."""

_LOCK_MS_MAX = 36_500 * DAY_MS
"""S3 takes no longer one."""

_STORED_AS_PRODUCED = "batches are stored as they were produced"

_boolean = partial(Setting, type=SettingType.BOOLEAN, dynamic=True)
_string = partial(Setting, type=SettingType.STRING, dynamic=True)
_int = partial(Setting, type=SettingType.INT, dynamic=True)
_long = partial(Setting, type=SettingType.LONG, dynamic=True)


def _storage_class(value: Value) -> str | None:
    return class_fault(str(value))


def _lock_ms(value: Value) -> str | None:
    is_short = isinstance(value, int) and -1 < value < _LOCK_MS_MIN
    return f"write -1, or at least {_LOCK_MS_MIN}" if is_short else None


_RECORDS = (
    _int(
        name="max.message.bytes",
        default=MIB + 12,
        low=0,
        importance=Importance.HIGH,
        documentation="Largest record batch that is taken, compressed as it was sent, in bytes.",
        synonyms=(Synonym("message.max.bytes"),),
    ),
    _string(
        name="message.timestamp.type",
        default="CreateTime",
        choices=("CreateTime", "LogAppendTime"),
        documentation="Whose time a record carries: the producer's, or the broker's at the append.",
        synonyms=(Synonym("log.message.timestamp.type"),),
    ),
    _long(
        name="message.timestamp.before.max.ms",
        default=LONG_MAX,
        low=0,
        documentation="How far a producer's timestamp may lie in the past, in milliseconds.",
        synonyms=(Synonym("log.message.timestamp.before.max.ms"),),
    ),
    _long(
        name="message.timestamp.after.max.ms",
        default=HOUR_MS,
        low=0,
        documentation="How far a producer's timestamp may lie in the future, in milliseconds.",
        synonyms=(Synonym("log.message.timestamp.after.max.ms"),),
    ),
    _string(
        name="record.validation",
        default="header",
        choices=("header", "full"),
        documentation=(
            "How closely produced batches are looked at: header checks the head and the checksum, "
            "full opens them and checks each record. A topic with compact is always checked in "
            "full."
        ),
        synonyms=(Synonym("record.validation"),),
    ),
    _string(
        name="compression.type",
        default="producer",
        choices=("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"),
        documentation="Codec that records are stored in; producer leaves them as they came.",
        synonyms=(Synonym("compression.type"),),
        no_effect=_STORED_AS_PRODUCED,
    ),
    _int(
        name="compression.gzip.level",
        default=-1,
        rule=lambda level: "write -1 or a level from 1 to 9" if level == 0 else None,
        low=-1,
        high=9,
        importance=Importance.LOW,
        documentation="Level that gzip compresses at: 1 to 9, or -1 for its own default.",
        synonyms=(Synonym("compression.gzip.level"),),
        no_effect=_STORED_AS_PRODUCED,
    ),
    _int(
        name="compression.lz4.level",
        default=9,
        low=1,
        high=17,
        importance=Importance.LOW,
        documentation="Level that lz4 compresses at, from 1 to 17.",
        synonyms=(Synonym("compression.lz4.level"),),
        no_effect=_STORED_AS_PRODUCED,
    ),
    _int(
        name="compression.zstd.level",
        default=3,
        low=-131072,
        high=22,
        importance=Importance.LOW,
        documentation="Level that zstd compresses at, up to 22.",
        synonyms=(Synonym("compression.zstd.level"),),
        no_effect=_STORED_AS_PRODUCED,
    ),
)

_TIER = (
    _boolean(
        name="remote.storage.enable",
        default=True,
        importance=Importance.HIGH,
        documentation=(
            "Whether sealed segments go to the archive. Turned off, nothing more is uploaded, and "
            "what is archived stays readable."
        ),
        synonyms=(Synonym("remote.storage.enable"),),
    ),
    _long(
        name="local.retention.ms",
        default=DAY_MS,
        low=-2,
        importance=Importance.HIGH,
        documentation=(
            "How long archived records also stay on local disks, in milliseconds. -2 means as "
            "long as retention.ms, -1 for ever; the default is never longer than retention.ms."
        ),
        synonyms=(Synonym("log.local.retention.ms"),),
    ),
    _long(
        name="local.retention.bytes",
        default=-2,
        low=-2,
        documentation=(
            "How many bytes of a partition also stay on local disks once they are archived; -2 "
            "means as many as retention.bytes, -1 sets no limit."
        ),
        synonyms=(Synonym("log.local.retention.bytes"),),
    ),
    _boolean(
        name="remote.log.copy.disable",
        default=False,
        documentation="Whether uploads stop while what is archived stays readable.",
    ),
    _boolean(
        name="remote.log.delete.on.disable",
        default=False,
        documentation="Whether turning remote.storage.enable off also removes what is archived.",
        no_effect="the archive is kept; delete records or the topic to remove it",
    ),
    _long(
        name="remote.copy.lag.max.ms",
        default=-1,
        rule=lambda lag_ms: "write -1, or at least 1" if lag_ms == 0 else None,
        low=-1,
        importance=Importance.HIGH,
        documentation=(
            "Age at which records go to the archive although their segment is not sealed yet, in "
            "milliseconds: what losing this disk costs at most, while the store keeps up. -1 waits "
            "for the seal (segment.bytes, segment.ms). Small values make many small objects, which "
            "are merged in time."
        ),
        synonyms=(Synonym("remote.copy.lag.max.ms"),),
    ),
    _int(
        name="remote.object.bytes",
        default=64 * MIB,
        low=KIB,
        high=GIB,
        documentation=(
            "Size that an object of the archive is cut at, on a batch boundary, in bytes."
        ),
        synonyms=(Synonym("remote.object.bytes"),),
    ),
    _string(
        name="remote.storage.class",
        default=StorageClass.STANDARD.name,
        rule=_storage_class,
        documentation=(
            "Storage class that new objects of the archive are put into, of a bucket that has "
            f"such: {', '.join(CLASS_NAMES)}. Manifests stay STANDARD."
        ),
        synonyms=(Synonym("remote.storage.class"),),
    ),
    _string(
        name="remote.storage.class.later",
        default="",
        rule=lambda name: _storage_class(name) if name else None,
        documentation=(
            "Storage class that objects of the archive are moved to once their newest record is "
            "older than remote.storage.class.later.ms; empty moves none."
        ),
        synonyms=(Synonym("remote.storage.class.later"),),
    ),
    _long(
        name="remote.storage.class.later.ms",
        default=-1,
        low=-1,
        documentation=(
            "Age at which objects are moved to remote.storage.class.later, in milliseconds; -1 "
            "moves none. Objects of less than 128 KiB stay, since most classes bill them as that."
        ),
        synonyms=(Synonym("remote.storage.class.later.ms"),),
    ),
    _boolean(
        name=HOLD,
        default=False,
        importance=Importance.HIGH,
        documentation=(
            "Whether everything that is archived stays, whatever else says that it goes: "
            "retention waits, deleting records or the topic is refused, small objects are not "
            "merged. Local segments are released as ever."
        ),
    ),
    _string(
        name=LOCK_MODE,
        default=NO_LOCK,
        choices=(NO_LOCK, *(mode.name.lower() for mode in LockMode)),
        importance=Importance.HIGH,
        documentation=(
            "How new objects of the archive are locked in a bucket with Object Lock: governance, "
            "which a permission bypasses, or compliance, which nobody can end, not even the owner "
            "of the account. Manifests are not locked."
        ),
    ),
    _long(
        name=LOCK_MS,
        default=-1,
        rule=_lock_ms,
        low=-1,
        high=_LOCK_MS_MAX,
        importance=Importance.HIGH,
        documentation=(
            "How long an object is locked from its upload on (archive.object.lock.mode), in "
            "milliseconds. retention.ms is to be no shorter."
        ),
    ),
    _boolean(
        name="stream.index.enable",
        default=False,
        documentation=(
            "Whether archived segments carry an index of record keys, for reading one entity."
        ),
        synonyms=(Synonym("stream.index.enable"),),
        no_effect="such an index is not made yet",
    ),
)

TOPIC_SETTINGS: Mapping[str, Setting] = by_name((*LOG_SETTINGS, *_RECORDS, *_TIER))
"""Every setting of a topic, by name, in the order of names."""
