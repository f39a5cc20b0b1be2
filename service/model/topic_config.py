"""What a topic's settings come to: its own over the broker's defaults, checked and typed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Self

from everlog.model.object_lock import LockMode, LockRule
from everlog.model.storage_class import StorageClass
from service.model.config_definition import InvalidConfigError, combined, unknown_name
from service.model.setting_type import LONG_MAX, Value
from service.model.topic_settings import (
    HOLD,
    LOCK_MODE,
    LOCK_MS,
    NO_LOCK,
    RETIRED_TOPIC_SETTINGS,
    TOPIC_SETTINGS,
)
from service.model.topic_values import (
    AS_RETENTION,
    DEFAULT_VALUES,
    UNLIMITED,
    clamped,
    contradictions,
    effective_values,
    kept_limit,
    list_in,
    number_in,
)


class TimestampType(Enum):
    """Whose time a record carries."""

    CREATE = "CreateTime"
    APPEND = "LogAppendTime"


class RecordValidation(Enum):
    """How closely a produced batch is looked at."""

    HEADER = "header"
    FULL = "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicConfig:
    """The settings that hold for a topic. None stands for "no limit".

    Attributes:
        compact: Whether the newest record of each key must survive.
        expires: Whether records are removed by age and size; the limits are None otherwise.
        tiered: Whether sealed segments are uploaded.
        local_retention_ms: How long archived segments also stay on disk.
        local_retention_bytes: How much of a partition also stays on disk once it is archived.
        delete_retention_ms: How long a tombstone outlives its first compaction.
        min_compaction_lag_ms: Age that a record has at least before it is compacted away.
        max_compaction_lag_ms: Age that a record has at most when compaction first sees it.
        min_cleanable_dirty_ratio: Share of a log that must be new before it is compacted again.
        flush_always: Whether a batch is synced before it is acknowledged.
        flush_ms: Longest time that a written byte stays unsynced otherwise.
        min_insync_replicas: As configured; of fewer replicas all have to be in sync.
        timestamp_before_ms_max: How far a producer's timestamp may lie in the past.
        timestamp_after_ms_max: The same for the future.
        remote_copy_lag_ms: Age at which records are uploaded before their segment is sealed.
        held: Whether nothing of the topic's archive may be removed (a legal hold).
        lock: Of new objects of the archive. Records expire no earlier.
        storage_class: Of new objects of the archive.
        storage_class_later: Of objects whose newest record has the age that follows.
        stream_index: Whether archived segments carry an index of keys.
    """

    compact: bool
    expires: bool
    tiered: bool
    retention_ms: int | None
    retention_bytes: int | None
    local_retention_ms: int | None
    local_retention_bytes: int | None
    delete_retention_ms: int
    min_compaction_lag_ms: int
    max_compaction_lag_ms: int | None
    min_cleanable_dirty_ratio: float
    segment_bytes: int
    segment_ms: int
    index_interval_bytes: int
    flush_always: bool
    flush_ms: int
    max_message_bytes: int
    min_insync_replicas: int
    unclean_leader_election: bool
    timestamp_type: TimestampType
    timestamp_before_ms_max: int | None
    timestamp_after_ms_max: int | None
    record_validation: RecordValidation
    remote_copy_lag_ms: int | None
    remote_object_bytes: int
    held: bool
    lock: LockRule | None
    storage_class: StorageClass
    storage_class_later: StorageClass | None
    storage_class_later_ms: int | None
    stream_index: bool

    @classmethod
    def resolve(
        cls, overrides: Mapping[str, str], defaults: Mapping[str, Value] = DEFAULT_VALUES
    ) -> Self:
        """Work out what holds for a topic; names that this version does not know are passed over.

        Args:
            overrides: What the topic itself sets.
            defaults: A value for every topic setting, as the broker has it.

        Raises:
            InvalidConfigError: A text cannot be read. Contradictions raise nothing here, since a
                default may have changed under a topic; the stricter value wins.
        """
        values = _Reader(effective_values(overrides, defaults))
        compact = "compact" in values.list("cleanup.policy")
        uploads = values.flag("remote.storage.enable") and not values.flag(
            "remote.log.copy.disable"
        )
        tiered = uploads and not compact
        lock = values.lock()
        return cls(
            compact=compact,
            expires="delete" in values.list("cleanup.policy"),
            tiered=tiered,
            retention_ms=_no_shorter(values.limit("ms"), lock),
            retention_bytes=values.limit("bytes") if lock is None else None,
            local_retention_ms=values.local_limit("ms", tiered=tiered),
            local_retention_bytes=values.local_limit("bytes", tiered=tiered),
            delete_retention_ms=values.number("delete.retention.ms"),
            min_compaction_lag_ms=values.number("min.compaction.lag.ms"),
            max_compaction_lag_ms=values.distance("max.compaction.lag.ms"),
            min_cleanable_dirty_ratio=values.ratio("min.cleanable.dirty.ratio"),
            segment_bytes=values.number("segment.bytes"),
            segment_ms=values.number("segment.ms"),
            index_interval_bytes=values.number("index.interval.bytes"),
            flush_always=values.number("flush.messages") == 1 or values.number("flush.ms") == 0,
            flush_ms=values.number("flush.ms"),
            max_message_bytes=values.number("max.message.bytes"),
            min_insync_replicas=values.number("min.insync.replicas"),
            unclean_leader_election=values.flag("unclean.leader.election.enable"),
            timestamp_type=TimestampType(values.text("message.timestamp.type")),
            timestamp_before_ms_max=values.distance("message.timestamp.before.max.ms"),
            timestamp_after_ms_max=values.distance("message.timestamp.after.max.ms"),
            record_validation=(
                RecordValidation.FULL
                if compact
                else RecordValidation(values.text("record.validation"))
            ),
            remote_copy_lag_ms=values.unless_off("remote.copy.lag.max.ms"),
            remote_object_bytes=values.number("remote.object.bytes"),
            held=values.flag(HOLD),
            lock=lock,
            storage_class=StorageClass[values.text("remote.storage.class")],
            storage_class_later=values.storage_class("remote.storage.class.later"),
            storage_class_later_ms=values.unless_off("remote.storage.class.later.ms"),
            stream_index=values.flag("stream.index.enable"),
        )


def _no_shorter(kept_ms: int | None, lock: LockRule | None) -> int | None:
    return kept_ms if kept_ms is None or lock is None else max(kept_ms, lock.length_ms)


def is_held(overrides: Mapping[str, str]) -> bool:
    """Whether a topic sets that it must not be deleted; a text that nobody can read counts, too."""
    try:
        return TOPIC_SETTINGS[HOLD].parse(overrides.get(HOLD, "false")) is not False
    except InvalidConfigError:
        return True


def override_problems(
    overrides: Mapping[str, str],
    defaults: Mapping[str, Value] = DEFAULT_VALUES,
    *,
    changed: Collection[str] | None = None,
) -> list[InvalidConfigError]:
    """Return everything that is wrong with what a topic is to set, in the order of names.

    Args:
        overrides: All of the topic's own settings.
        defaults: A value for every topic setting, as the broker has it.
        changed: Names that are new, or have a new text: only these must exist here. All by default.

    Raises:
        InvalidConfigError: A text that is not new cannot be read.
    """
    problems = []
    names = overrides.keys() if changed is None else overrides.keys() & set(changed)
    for name in sorted(names - RETIRED_TOPIC_SETTINGS):
        if name not in TOPIC_SETTINGS:
            problems.append(unknown_name(name, TOPIC_SETTINGS))
            continue
        try:
            TOPIC_SETTINGS[name].parse(overrides[name])
        except InvalidConfigError as error:
            problems.append(error)
    return problems or contradictions(effective_values(overrides, defaults), frozenset(overrides))


def validate_overrides(
    overrides: Mapping[str, str], defaults: Mapping[str, Value] = DEFAULT_VALUES
) -> None:
    """Refuse what a topic cannot have.

    Raises:
        InvalidConfigError: Something is wrong; its text says all of what.
    """
    problems = override_problems(overrides, defaults)
    if problems:
        raise combined(problems)


class _Reader:
    """The values of all settings, by type."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values = values

    def number(self, name: str) -> int:
        return number_in(self._values, name)

    def limit(self, unit: str) -> int | None:
        """Read a limit of retention."""
        limit = kept_limit(self._values, unit)
        return None if limit == UNLIMITED else limit

    def local_limit(self, unit: str, *, tiered: bool) -> int | None:
        """Read a limit of local retention; an untiered topic has none of its own."""
        local, limit = self.number(f"local.retention.{unit}"), kept_limit(self._values, unit)
        if local == AS_RETENTION or not tiered:
            local = limit
        return None if (kept := clamped(local, limit)) == UNLIMITED else kept

    def distance(self, name: str) -> int | None:
        """Read a number of which the greatest means "any"."""
        value = self.number(name)
        return None if value == LONG_MAX else value

    def unless_off(self, name: str) -> int | None:
        """Read a number of which -1 means that it is turned off."""
        value = self.number(name)
        return None if value == UNLIMITED else value

    def storage_class(self, name: str) -> StorageClass | None:
        """Read the name of a class, which may be empty."""
        value = self.text(name)
        return StorageClass[value] if value else None

    def lock(self) -> LockRule | None:
        """Read how objects are locked; a mode that does not say for how long locks none."""
        mode, length_ms = self.text(LOCK_MODE), self.number(LOCK_MS)
        if mode == NO_LOCK or length_ms == UNLIMITED:
            return None
        return LockRule(LockMode[mode.upper()], length_ms)

    def ratio(self, name: str) -> float:
        value = self._values[name]
        assert isinstance(value, int | float), f"{name} is a number"
        return float(value)

    def flag(self, name: str) -> bool:
        value = self._values[name]
        assert isinstance(value, bool), f"{name} is true or false"
        return value

    def text(self, name: str) -> str:
        value = self._values[name]
        assert isinstance(value, str), f"{name} is a text"
        return value

    def list(self, name: str) -> tuple[str, ...]:
        return list_in(self._values, name)
