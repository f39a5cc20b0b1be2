"""Every setting of a broker: its own, and the defaults that it gives to topics."""

from collections.abc import Iterator, Mapping

from service.model.broker_cluster_settings import CLUSTER_SETTINGS
from service.model.broker_network_settings import NETWORK_SETTINGS
from service.model.broker_storage_settings import STORAGE_SETTINGS
from service.model.broker_zookeeper_settings import ZOOKEEPER_SETTINGS
from service.model.config_definition import Setting, Synonym, by_name
from service.model.setting_type import SECOND_MS, SettingType
from service.model.topic_settings import TOPIC_SETTINGS

_FOR_TOOLS = (
    Setting(
        name="inter.broker.protocol.version",
        type=SettingType.STRING,
        default="4.1",
        choices=("4.1",),
        documentation="Version of Kafka whose features tools may expect.",
        no_effect="it is read by tools such as Kafka UI, which offer less without it",
    ),
    Setting(
        name="sasl.kerberos.min.time.before.relogin",
        type=SettingType.LONG,
        default=60 * SECOND_MS,
        dynamic=True,
        documentation="Time between two renewals of a Kerberos ticket, in milliseconds.",
        no_effect="there is no Kerberos; librdkafka's tests set it",
    ),
    Setting(
        name="replica.alter.log.dirs.io.max.bytes.per.second",
        type=SettingType.LONG,
        default=2**63 - 1,
        dynamic=True,
        documentation="Bytes in a second that move between directories of logs.",
        no_effect="there is one directory; kafka-reassign-partitions clears it",
    ),
)


def _topic_defaults() -> Iterator[Setting]:
    for topic in TOPIC_SETTINGS.values():
        for rank, synonym in enumerate(topic.synonyms):
            yield _topic_default(topic, synonym, strongest=rank == 0)


def _topic_default(topic: Setting, synonym: Synonym, *, strongest: bool) -> Setting:
    scaled = synonym.scale != 1
    low = topic.low
    return Setting(
        name=synonym.name,
        # Minutes and hours are ints in Kafka, and times their scale still fit a long.
        type=SettingType.INT if scaled else topic.type,
        default=topic.default if strongest else None,
        documentation=f"Default of the topic setting {topic.name}. {topic.documentation}"
        if strongest
        else f"Default of the topic setting {topic.name}, which {topic.synonyms[0].name} precedes"
        f"{_in_other_units(synonym)}.",
        importance=topic.importance,
        low=low if low is None or not scaled else min(low, 1),
        high=None if scaled else topic.high,
        choices=topic.choices,
        rule=topic.rule,
        dynamic=True,
        no_effect=topic.no_effect,
    )


def _in_other_units(synonym: Synonym) -> str:
    unit = synonym.name.rpartition(".")[2]
    return f"; in {unit}" if synonym.scale != 1 else ""


BROKER_OWN_SETTINGS: Mapping[str, Setting] = by_name(
    (*NETWORK_SETTINGS, *STORAGE_SETTINGS, *CLUSTER_SETTINGS, *ZOOKEEPER_SETTINGS)
)
"""What a broker itself goes by; read when it starts, but for what is dynamic."""

TOPIC_DEFAULT_SETTINGS: Mapping[str, Setting] = by_name(_topic_defaults())
"""What topics go by that say nothing themselves; can be changed while brokers run."""

BROKER_SETTINGS: Mapping[str, Setting] = by_name(
    (*BROKER_OWN_SETTINGS.values(), *TOPIC_DEFAULT_SETTINGS.values(), *_FOR_TOOLS)
)
"""Every setting of a broker, by name, in the order of names."""

_ALIASES: Mapping[str, str] = {
    alias: setting.name for setting in BROKER_SETTINGS.values() for alias in setting.aliases
}


def canonical_name(name: str) -> str:
    """Return the name that a setting goes by, for any of its names."""
    return _ALIASES.get(name, name)


def all_names() -> tuple[str, ...]:
    """Return every name that a broker's configuration may use."""
    return (*BROKER_SETTINGS, *_ALIASES)
