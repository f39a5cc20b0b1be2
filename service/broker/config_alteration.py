"""Pure: what a resource's own settings become when a client alters them.

Both APIs end here: AlterConfigs says all that a resource is to set (`Replacement`),
IncrementalAlterConfigs only what changes (`Increments`).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Protocol

from service.broker.config_resource import ConfigRequestError
from service.model.broker_rules import topic_default_contradictions
from service.model.broker_settings import BROKER_SETTINGS, all_names, canonical_name
from service.model.config_definition import (
    InvalidConfigError,
    Setting,
    combined,
    unknown_name,
)
from service.model.config_layers import ConfigLayers
from service.model.setting_type import SettingType, Value
from service.model.topic_config import override_problems
from service.model.topic_settings import RETIRED_TOPIC_SETTINGS, TOPIC_SETTINGS

Overrides = Mapping[str, str]
"""What a resource itself sets: texts by name."""


class Operation(IntEnum):
    """What to do with a setting; the numbers are those of IncrementalAlterConfigs (KIP-339)."""

    SET = 0
    DELETE = 1
    APPEND = 2
    SUBTRACT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change to one setting; `text` is None for a deletion."""

    name: str
    operation: Operation
    text: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The settings that a kind of resource has.

    Attributes:
        settings: By name.
        retired: Names that are taken all the same.
        fallback: The value that holds where the resource sets none, for a list.
    """

    settings: Mapping[str, Setting]
    retired: frozenset[str]
    fallback: Callable[[str], Value | None]


class Plan(Protocol):
    """How a resource is to change."""

    @property
    def names(self) -> frozenset[str]:
        """The settings that the client has named."""
        ...

    def apply(self, current: Overrides, scope: Scope) -> dict[str, str]:
        """Return what the resource is to set.

        Raises:
            InvalidConfigError: A setting does not exist, or is no list.
        """
        ...


@dataclass(frozen=True, slots=True)
class Replacement:
    """Set these and nothing else."""

    texts: Overrides

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self.texts)

    def apply(self, current: Overrides, scope: Scope) -> dict[str, str]:
        del current, scope
        return dict(self.texts)


@dataclass(frozen=True, slots=True)
class Increments:
    """Change these and leave the rest."""

    changes: tuple[Change, ...]

    @property
    def names(self) -> frozenset[str]:
        return frozenset(change.name for change in self.changes)

    def apply(self, current: Overrides, scope: Scope) -> dict[str, str]:
        altered = dict(current)
        for change in self.changes:
            text = _changed(change, current.get(change.name), scope)
            if text is None:
                altered.pop(change.name, None)
            else:
                altered[change.name] = text
        return altered


def altered_topic(current: Overrides, plan: Plan, layers: ConfigLayers) -> dict[str, str]:
    """Return what a topic is to set.

    Raises:
        InvalidConfigError: It cannot have that.
    """
    defaults = layers.topic_defaults()
    scope = Scope(settings=TOPIC_SETTINGS, retired=RETIRED_TOPIC_SETTINGS, fallback=defaults.get)
    altered = plan.apply(current, scope)
    problems = override_problems(altered, defaults, changed=plan.names)
    if problems:
        raise combined(problems)
    return altered


def altered_broker(
    current: Overrides, plan: Plan, layers: ConfigLayers, *, whole_cluster: bool
) -> dict[str, str]:
    """Return what is to hold at run time for a broker, or for all of them.

    Args:
        current: What holds so far at that level.
        plan: How it is to change.
        layers: Everything that has been said about the broker.
        whole_cluster: Whether the level is that of all brokers.

    Raises:
        InvalidConfigError: It cannot have that.
        ConfigRequestError: A setting is read when a broker starts, and only then.
    """
    fixed = sorted(name for name in plan.names if _is_fixed(name))
    if fixed:
        advice = "read when a broker starts; change its configuration and restart it"
        raise ConfigRequestError(f"{', '.join(fixed)}: {advice}")
    scope = Scope(settings=BROKER_SETTINGS, retired=frozenset(), fallback=layers.broker_value)
    altered = plan.apply(current, scope)
    problems = list(_broker_problems(altered, plan.names))
    if not problems:
        then = (
            replace(layers, cluster=altered) if whole_cluster else replace(layers, broker=altered)
        )
        problems = topic_default_contradictions(then)
    if problems:
        raise combined(problems)
    return altered


def _changed(change: Change, text: str | None, scope: Scope) -> str | None:
    """Return the new text of a setting; None when it is to have none."""
    setting = scope.settings.get(change.name)
    if setting is None and text is None and change.name not in scope.retired:
        raise unknown_name(change.name, scope.settings)
    if change.operation is Operation.DELETE:
        return None
    if change.operation is Operation.SET:
        return change.text
    if setting is None or setting.type is not SettingType.LIST:
        advice = "it is no list, so nothing can be added to it or taken from it; set it instead"
        raise InvalidConfigError(change.name, None, advice)
    return _changed_list(change, setting, text, scope)


def _changed_list(change: Change, setting: Setting, text: str | None, scope: Scope) -> str:
    value = scope.fallback(change.name) if text is None else setting.type.read(text)
    entries = list(value) if isinstance(value, tuple) else []
    named = setting.type.read(change.text or "")
    for entry in named if isinstance(named, tuple) else ():
        if change.operation is Operation.SUBTRACT:
            entries = [each for each in entries if each != entry]
        elif entry not in entries:
            entries.append(entry)
    return ",".join(entries)


def _is_fixed(name: str) -> bool:
    setting = BROKER_SETTINGS.get(canonical_name(name))
    return setting is not None and not setting.dynamic


def _broker_problems(altered: Overrides, names: frozenset[str]) -> Iterator[InvalidConfigError]:
    for name in sorted(names & altered.keys()):
        if name not in BROKER_SETTINGS:
            yield unknown_name(name, all_names())
            continue
        try:
            BROKER_SETTINGS[name].parse(altered[name])
        except InvalidConfigError as error:
            yield error
