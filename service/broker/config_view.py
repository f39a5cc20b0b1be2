"""What clients may see of settings: layers turned into the words of DescribeConfigs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from service.model.broker_settings import BROKER_SETTINGS
from service.model.config_definition import Setting
from service.model.config_layers import ConfigLayers, ConfigSource, SourcedText
from service.model.setting_type import SettingType, Value, write
from service.model.topic_settings import TOPIC_SETTINGS
from service.model.topic_values import effective_values
from service.protocol.messages.describe_configs import (
    DescribeConfigsResourceResult,
    DescribeConfigsSynonym,
)

_TYPES: Mapping[SettingType, int] = {
    SettingType.BOOLEAN: 1,
    SettingType.STRING: 2,
    SettingType.INT: 3,
    SettingType.SHORT: 4,
    SettingType.LONG: 5,
    SettingType.DOUBLE: 6,
    SettingType.LIST: 7,
    SettingType.CLASS: 8,
    SettingType.PASSWORD: 9,
}
"""``DescribeConfigsResponse.ConfigType`` (KIP-569)."""

_GIVES_DEFAULT_OF: Mapping[str, Setting] = {
    topic.synonyms[0].name: topic for topic in TOPIC_SETTINGS.values() if topic.synonyms
}
"""Topic settings by the first of the broker's settings that give their default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """What is to be told.

    Attributes:
        keys: The only settings asked for; all of them if it is empty.
        synonyms: Whether to tell where else a value might have come from.
        documentation: Whether to tell what a setting means.
    """

    keys: frozenset[str]
    synonyms: bool
    documentation: bool


def topic_configs(
    overrides: Mapping[str, str], layers: ConfigLayers, detail: Detail
) -> list[DescribeConfigsResourceResult]:
    """Describe the settings of a topic: the values are those that hold.

    Raises:
        InvalidConfigError: A stored text cannot be read.
    """
    values = effective_values(overrides, layers.topic_defaults())
    found = []
    for setting in _asked(TOPIC_SETTINGS, detail):
        texts = layers.topic_texts(setting)
        if setting.name in overrides:
            texts = [SourcedText(setting.name, overrides[setting.name], ConfigSource.TOPIC), *texts]
        found.append(_result(setting, values[setting.name], texts, detail))
    return found


def broker_configs(
    layers: ConfigLayers, detail: Detail, *, at_default: Mapping[str, Value]
) -> list[DescribeConfigsResourceResult]:
    """Describe the settings of a broker.

    Args:
        layers: What has been said about them.
        detail: What is to be told.
        at_default: What holds for settings that nobody has set, where that depends on the cluster.

    Raises:
        InvalidConfigError: A stored text cannot be read.
    """
    defaults = layers.topic_defaults()
    found = []
    for setting in BROKER_SETTINGS.values():
        topic = _GIVES_DEFAULT_OF.get(setting.name)
        texts = layers.broker_texts(setting.name) if topic is None else layers.topic_texts(topic)
        if topic is not None:
            value: Value | None = defaults[topic.name]
        elif setting.name in at_default and texts[0].source is ConfigSource.DEFAULT:
            value = at_default[setting.name]
        else:
            value = layers.broker_value(setting.name)
        found += [
            _result(setting, value, texts, detail, name=name)
            for name in (setting.name, *setting.aliases)
            if not detail.keys or name in detail.keys
        ]
    return found


def cluster_configs(layers: ConfigLayers, detail: Detail) -> list[DescribeConfigsResourceResult]:
    """Describe what was set at run time for all brokers, and nothing else.

    Raises:
        InvalidConfigError: A stored text cannot be read.
    """
    found = []
    for setting in _asked(BROKER_SETTINGS, detail):
        if setting.name in layers.cluster:
            text = SourcedText(setting.name, layers.cluster[setting.name], ConfigSource.CLUSTER)
            found.append(_result(setting, setting.parse(text.text), [text], detail))
    return found


def _asked(settings: Mapping[str, Setting], detail: Detail) -> Iterator[Setting]:
    return (each for each in settings.values() if not detail.keys or each.name in detail.keys)


def _result(
    setting: Setting,
    value: Value | None,
    texts: Sequence[SourcedText],
    detail: Detail,
    *,
    name: str | None = None,
) -> DescribeConfigsResourceResult:
    return DescribeConfigsResourceResult(
        name=name or setting.name,
        value=None if value is None or setting.sensitive else write(value),
        read_only=not setting.dynamic,
        config_source=texts[0].source if texts else ConfigSource.DEFAULT,
        is_sensitive=setting.sensitive,
        synonyms=[_synonym(setting, text) for text in texts] if detail.synonyms else [],
        config_type=_TYPES[setting.type],
        documentation=setting.meaning if detail.documentation else None,
    )


def _synonym(setting: Setting, text: SourcedText) -> DescribeConfigsSynonym:
    value = None if setting.sensitive else text.text
    return DescribeConfigsSynonym(name=text.name, value=value, source=text.source)
