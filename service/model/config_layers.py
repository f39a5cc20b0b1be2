"""Where a value comes from: the layers of a broker's settings, and what they give to topics."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from service.model.broker_settings import BROKER_SETTINGS
from service.model.config_definition import Setting
from service.model.setting_type import Value
from service.model.topic_settings import TOPIC_SETTINGS


class ConfigSource(IntEnum):
    """Who set a value, the strongest first; the numbers are those of DescribeConfigs."""

    TOPIC = 1
    BROKER = 2
    CLUSTER = 3
    STATIC = 4
    DEFAULT = 5


@dataclass(frozen=True, slots=True)
class SourcedText:
    """A text that one layer has for one setting."""

    name: str
    text: str
    source: ConfigSource


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigLayers:
    """What has been said about the settings of one broker, as texts.

    Attributes:
        static: When the broker was started: file, environment and flags.
        cluster: While brokers run, for all of them.
        broker: While brokers run, for this one.
    """

    static: Mapping[str, str] = field(default_factory=dict)
    cluster: Mapping[str, str] = field(default_factory=dict)
    broker: Mapping[str, str] = field(default_factory=dict)

    def broker_texts(self, *names: str) -> list[SourcedText]:
        """Return what the layers have for some settings: by layer, then in the given order."""
        return [
            SourcedText(name, text, source)
            for source, layer in self._layers()
            for name in names
            if (text := layer.get(name)) is not None
        ]

    def broker_value(self, name: str) -> Value | None:
        """Return what holds for a setting of the broker; None where nothing does.

        Raises:
            InvalidConfigError: A text cannot be read.
        """
        texts = self.broker_texts(name)
        return BROKER_SETTINGS[name].parse(texts[0].text) if texts else None

    def topic_texts(self, topic: Setting) -> list[SourcedText]:
        """Return what the layers have for the default of a topic setting, the strongest first."""
        return self.broker_texts(*(synonym.name for synonym in topic.synonyms))

    def topic_defaults(self) -> dict[str, Value]:
        """Return the value of each topic setting for a topic that says nothing itself.

        Raises:
            InvalidConfigError: A text cannot be read.
        """
        return {name: self._topic_default(topic) for name, topic in TOPIC_SETTINGS.items()}

    def _topic_default(self, topic: Setting) -> Value:
        texts = self.topic_texts(topic)
        if not texts:
            assert topic.default is not None, f"{topic.name} has a default"
            return topic.default
        strongest = texts[0]
        scales = {synonym.name: synonym for synonym in topic.synonyms}
        value = BROKER_SETTINGS[strongest.name].parse(strongest.text)
        return scales[strongest.name].scaled(value)

    def _layers(self) -> Iterator[tuple[ConfigSource, Mapping[str, str]]]:
        yield ConfigSource.BROKER, self.broker
        yield ConfigSource.CLUSTER, self.cluster
        yield ConfigSource.STATIC, self.static
        yield ConfigSource.DEFAULT, _DEFAULTS


_DEFAULTS: Mapping[str, str] = {
    name: setting.default_text
    for name, setting in BROKER_SETTINGS.items()
    if setting.default_text is not None
}
