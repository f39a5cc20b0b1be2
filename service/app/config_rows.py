"""What ``everlog config list`` shows: each setting with its type, default, value and meaning."""

from dataclasses import dataclass

from service.model.broker_config import BrokerConfig, GivenValue, Origin
from service.model.broker_settings import BROKER_SETTINGS
from service.model.config_definition import Setting
from service.model.topic_settings import TOPIC_SETTINGS


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigRow:
    """One setting. Texts are as they would be written; None stands for "not set".

    Attributes:
        default: What holds unless somebody says otherwise.
        value: What holds; None also for a secret.
        source: default, command, file, environment or flag.
        where: The file, variable or flag that the value comes from; None for a default.
        allowed: What may be written, as a phrase.
        dynamic: Whether it can be changed while brokers run.
    """

    name: str
    type: str
    default: str | None
    value: str | None
    source: str
    where: str | None
    allowed: str
    importance: str
    dynamic: bool
    meaning: str


def broker_rows(config: BrokerConfig) -> list[ConfigRow]:
    """Return a row for each setting of a broker, in the order of names."""
    return [_row(each, given=config.given.get(each.name)) for each in BROKER_SETTINGS.values()]


def topic_rows() -> list[ConfigRow]:
    """Return a row for each setting of a topic, in the order of names."""
    return [_row(setting, given=None) for setting in TOPIC_SETTINGS.values()]


def _row(setting: Setting, *, given: GivenValue | None) -> ConfigRow:
    value = setting.default_text if given is None else given.text
    return ConfigRow(
        name=setting.name,
        type=setting.type.value,
        default=setting.default_text,
        value=None if setting.sensitive else value,
        source=(Origin.DEFAULT if given is None else given.origin).value,
        where=None if given is None else given.where,
        allowed=setting.allowed,
        importance=setting.importance.value,
        dynamic=setting.dynamic,
        meaning=setting.meaning,
    )
