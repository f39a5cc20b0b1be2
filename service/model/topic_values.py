"""The value of each setting that holds for a topic, and which values do not go together."""

from collections.abc import Mapping

from service.model.config_definition import InvalidConfigError
from service.model.setting_type import Value, write
from service.model.topic_settings import HOLD, LOCK_MODE, LOCK_MS, NO_LOCK, TOPIC_SETTINGS

UNLIMITED = -1
AS_RETENTION = -2
"""Local retention: as long, or as much, as the topic is kept altogether (KIP-405)."""

DEFAULT_VALUES: Mapping[str, Value] = {
    name: setting.default for name, setting in TOPIC_SETTINGS.items() if setting.default is not None
}
"""Every topic setting where neither topic nor broker says anything."""


def effective_values(
    overrides: Mapping[str, str], defaults: Mapping[str, Value] = DEFAULT_VALUES
) -> dict[str, Value]:
    """Return the value that holds for each topic setting; what is described is what is used.

    A default gives way to what the topic says: it is not tiered if it is compacted, and local
    retention never exceeds retention.

    Raises:
        InvalidConfigError: A text cannot be read.
    """
    own = {
        name: TOPIC_SETTINGS[name].parse(text)
        for name, text in overrides.items()
        if name in TOPIC_SETTINGS
    }
    values = {**defaults, **own}
    if "remote.storage.enable" not in own and "compact" in list_in(values, "cleanup.policy"):
        values["remote.storage.enable"] = False
    for unit in ("ms", "bytes"):
        name = f"local.retention.{unit}"
        if name not in own:
            values[name] = clamped(number_in(values, name), kept_limit(values, unit))
    return values


def contradictions(values: Mapping[str, Value], chosen: frozenset[str]) -> list[InvalidConfigError]:
    """Return the settings that do not go together.

    Args:
        values: A value for every topic setting.
        chosen: Names that somebody has set; a default never contradicts anything.
    """
    checks = (
        _compaction_lags(values),
        _tiered_compaction(values, chosen),
        _held_compaction(values, chosen),
        _later_class(values, chosen),
        _lock_length(values, chosen),
        _lock_keeps(values, chosen),
    )
    local = (_local_retention(values, chosen, unit) for unit in ("ms", "bytes"))
    return [problem for problem in (*checks, *local) if problem is not None]


def kept_limit(values: Mapping[str, Value], unit: str) -> int:
    """Return how long, or how much of it, a topic is kept; without ``delete`` there is no limit."""
    expires = "delete" in list_in(values, "cleanup.policy")
    return number_in(values, f"retention.{unit}") if expires else UNLIMITED


def clamped(local: int, limit: int) -> int:
    """Keep a default of local retention within retention, which may be unlimited."""
    if limit == UNLIMITED or local == AS_RETENTION:
        return local
    return limit if local == UNLIMITED else min(local, limit)


def number_in(values: Mapping[str, Value], name: str) -> int:
    """Return the value of a setting that is a whole number."""
    value = values[name]
    assert isinstance(value, int), f"{name} is a whole number"
    return value


def list_in(values: Mapping[str, Value], name: str) -> tuple[str, ...]:
    """Return the value of a setting that is a list."""
    value = values[name]
    assert isinstance(value, tuple), f"{name} is a list"
    return value


def _compaction_lags(values: Mapping[str, Value]) -> InvalidConfigError | None:
    least = number_in(values, "min.compaction.lag.ms")
    most = number_in(values, "max.compaction.lag.ms")
    if least <= most:
        return None
    advice = f"max.compaction.lag.ms is {most}; raise that or lower this"
    return InvalidConfigError("min.compaction.lag.ms", str(least), advice)


def _tiered_compaction(
    values: Mapping[str, Value], chosen: frozenset[str]
) -> InvalidConfigError | None:
    name = "remote.storage.enable"
    policy = list_in(values, "cleanup.policy")
    if name not in chosen or values[name] is False or "compact" not in policy:
        return None
    advice = "and compacted topics are not tiered; leave one of the two out"
    return InvalidConfigError(name, "true", f"cleanup.policy is {write(policy)}, {advice}")


def _held_compaction(
    values: Mapping[str, Value], chosen: frozenset[str]
) -> InvalidConfigError | None:
    policy = list_in(values, "cleanup.policy")
    if HOLD not in chosen or values[HOLD] is False or "compact" not in policy:
        return None
    advice = "which removes records, and holds nothing in the archive; leave one of the two out"
    return InvalidConfigError(HOLD, "true", f"cleanup.policy is {write(policy)}, {advice}")


def _later_class(values: Mapping[str, Value], chosen: frozenset[str]) -> InvalidConfigError | None:
    name, age = "remote.storage.class.later", "remote.storage.class.later.ms"
    has_class, has_age = bool(values[name]), number_in(values, age) != UNLIMITED
    if has_class and not has_age and name in chosen:
        advice = f"write the age at which objects are moved there, in ms, to {age}"
        return InvalidConfigError(name, str(values[name]), advice)
    if has_age and not has_class and age in chosen:
        advice = f"write the class that objects are moved to, as STANDARD_IA, to {name}"
        return InvalidConfigError(age, str(values[age]), advice)
    return None


def _lock_length(values: Mapping[str, Value], chosen: frozenset[str]) -> InvalidConfigError | None:
    has_mode, has_length = values[LOCK_MODE] != NO_LOCK, number_in(values, LOCK_MS) != UNLIMITED
    if has_mode and not has_length and LOCK_MODE in chosen:
        advice = f"write how long objects are locked, in ms, to {LOCK_MS}"
        return InvalidConfigError(LOCK_MODE, str(values[LOCK_MODE]), advice)
    if has_length and not has_mode and LOCK_MS in chosen:
        advice = f"write governance or compliance to {LOCK_MODE}"
        return InvalidConfigError(LOCK_MS, str(values[LOCK_MS]), advice)
    return None


def _lock_keeps(values: Mapping[str, Value], chosen: frozenset[str]) -> InvalidConfigError | None:
    """Refuse what would remove records from objects that cannot go."""
    mode, lock_ms = values[LOCK_MODE], number_in(values, LOCK_MS)
    if mode == NO_LOCK or not chosen & {LOCK_MODE, LOCK_MS}:
        return None
    policy = list_in(values, "cleanup.policy")
    if "compact" in policy:
        advice = f"cleanup.policy is {write(policy)}, and compaction removes records; leave one out"
        return InvalidConfigError(LOCK_MODE, str(mode), advice)
    if values["remote.storage.enable"] is False:
        advice = (
            "remote.storage.enable is false, and what is not archived has no lock; leave one out"
        )
        return InvalidConfigError(LOCK_MODE, str(mode), advice)
    if kept_limit(values, "bytes") != UNLIMITED:
        advice = "what is locked cannot go by size; write -1 to retention.bytes"
        return InvalidConfigError(LOCK_MODE, str(mode), advice)
    kept_ms = kept_limit(values, "ms")
    if UNLIMITED != kept_ms < lock_ms:
        advice = f"retention.ms is {kept_ms}, and what is locked stays; lower this or raise that"
        return InvalidConfigError(LOCK_MS, str(lock_ms), advice)
    return None


def _local_retention(
    values: Mapping[str, Value], chosen: frozenset[str], unit: str
) -> InvalidConfigError | None:
    name = f"local.retention.{unit}"
    local, limit = number_in(values, name), kept_limit(values, unit)
    fits = limit == UNLIMITED or local == AS_RETENTION or UNLIMITED < local <= limit
    if fits or name not in chosen or values["remote.storage.enable"] is False:
        return None
    advice = f"retention.{unit} is {limit}; write at most that, or -2 to follow it"
    return InvalidConfigError(name, str(local), advice)
