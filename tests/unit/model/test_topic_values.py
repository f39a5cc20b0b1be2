from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.model.config_definition import InvalidConfigError
from service.model.setting_type import Value, write
from service.model.topic_config import TopicConfig, override_problems
from service.model.topic_settings import TOPIC_SETTINGS
from service.model.topic_values import DEFAULT_VALUES, contradictions, effective_values

DAY_MS = 86_400_000


def test_a_topic_that_says_nothing_has_every_default() -> None:
    assert effective_values({}) == DEFAULT_VALUES
    assert DEFAULT_VALUES.keys() == TOPIC_SETTINGS.keys()


@pytest.mark.parametrize(
    ("overrides", "name", "value"),
    [
        ({"segment.ms": "5"}, "segment.ms", 5),
        ({"retention.ms": "5"}, "local.retention.ms", 5),
        ({"retention.ms": "5", "cleanup.policy": ""}, "local.retention.ms", DAY_MS),
        ({"retention.bytes": "5"}, "local.retention.bytes", -2),
        ({"cleanup.policy": "compact"}, "remote.storage.enable", False),
        ({"cleanup.policy": "delete,compact"}, "remote.storage.enable", False),
        ({"no.such.thing": "5"}, "segment.ms", 600_000),
    ],
)
def test_a_default_gives_way_to_what_the_topic_says(
    overrides: Mapping[str, str], name: str, value: Value
) -> None:
    assert effective_values(overrides)[name] == value


def test_a_local_default_without_limit_is_cut_to_retention() -> None:
    defaults = {**DEFAULT_VALUES, "local.retention.bytes": -1, "retention.bytes": 7}
    assert effective_values({}, defaults)["local.retention.bytes"] == 7


@pytest.mark.parametrize("name", ["local.retention.ms", "remote.storage.enable", "archive.hold"])
def test_a_default_never_contradicts_anything(name: str) -> None:
    values: dict[str, Value] = {
        **DEFAULT_VALUES,
        "cleanup.policy": ("compact", "delete"),
        "retention.ms": 1,
        "archive.hold": True,
    }
    assert contradictions(values, frozenset()) == []
    assert [each.name for each in contradictions(values, frozenset({name}))] == [name]


def _values_of(name: str) -> st.SearchStrategy[str]:
    setting = TOPIC_SETTINGS[name]
    bounds = setting.type.bounds
    if bounds is not None and isinstance(setting.default, int):
        low = bounds[0] if setting.low is None else setting.low
        high = bounds[1] if setting.high is None else setting.high
        return st.integers(int(low), int(high)).map(str)
    if isinstance(setting.default, bool):
        return st.sampled_from(["true", "false"])
    if name == "cleanup.policy":
        return st.sampled_from(["compact", "delete", "compact,delete", ""])
    return st.sampled_from(setting.choices or (str(setting.default_text),))


OVERRIDES = st.lists(st.sampled_from(sorted(TOPIC_SETTINGS)), unique=True, max_size=8).flatmap(
    lambda names: st.fixed_dictionaries({name: _values_of(name) for name in names})
)


def _is_taken(overrides: Mapping[str, str]) -> bool:
    try:
        return not override_problems(overrides)
    except InvalidConfigError:
        return False


@given(OVERRIDES)
def test_whatever_is_taken_can_be_resolved_and_keeps_the_tiers_in_order(
    overrides: dict[str, str],
) -> None:
    if not _is_taken(overrides):
        return
    config = TopicConfig.resolve(overrides)
    assert not (config.tiered and config.compact)
    for local, whole in (
        (config.local_retention_ms, config.retention_ms),
        (config.local_retention_bytes, config.retention_bytes),
    ):
        if whole is not None:
            assert local is not None
            assert local <= whole


@given(OVERRIDES)
def test_whatever_is_effective_could_be_said_by_the_topic_itself(
    overrides: dict[str, str],
) -> None:
    # Tools read the settings, change one, and write them all back.
    if not _is_taken(overrides):
        return
    values: Mapping[str, Value] = effective_values(overrides)
    said = {name: write(value) for name, value in values.items()}
    assert override_problems(said) == []
    assert effective_values(said) == values
