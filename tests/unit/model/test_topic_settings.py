import re

import pytest

from service.model.broker_settings import BROKER_SETTINGS
from service.model.config_definition import InvalidConfigError, Setting
from service.model.setting_type import SettingType
from service.model.topic_settings import RETIRED_TOPIC_SETTINGS, TOPIC_SETTINGS

KAFKA_DEFAULTS = {
    "cleanup.policy": "delete",
    "compression.gzip.level": "-1",
    "compression.lz4.level": "9",
    "compression.type": "producer",
    "compression.zstd.level": "3",
    "delete.retention.ms": "86400000",
    "file.delete.delay.ms": "60000",
    "follower.replication.throttled.replicas": "",
    "index.interval.bytes": "4096",
    "leader.replication.throttled.replicas": "",
    "local.retention.bytes": "-2",
    "max.compaction.lag.ms": "9223372036854775807",
    "max.message.bytes": "1048588",
    "message.timestamp.after.max.ms": "3600000",
    "message.timestamp.before.max.ms": "9223372036854775807",
    "message.timestamp.type": "CreateTime",
    "min.cleanable.dirty.ratio": "0.5",
    "min.compaction.lag.ms": "0",
    "preallocate": "false",
    "remote.log.copy.disable": "false",
    "remote.log.delete.on.disable": "false",
    "retention.bytes": "-1",
    "segment.index.bytes": "10485760",
    "segment.jitter.ms": "0",
    "unclean.leader.election.enable": "false",
}
"""Settings of a topic in Kafka 4.1 whose default is Kafka's own (``LogConfig``)."""

OWN_DEFAULTS = {
    "archive.hold": "false",
    "archive.object.lock.mode": "none",
    "archive.object.lock.ms": "-1",
    "flush.messages": "1",
    "flush.ms": "1000",
    "local.retention.ms": "86400000",
    "min.insync.replicas": "2",
    "record.validation": "header",
    "remote.copy.lag.max.ms": "-1",
    "remote.object.bytes": "67108864",
    "remote.storage.class": "STANDARD",
    "remote.storage.class.later": "",
    "remote.storage.class.later.ms": "-1",
    "remote.storage.enable": "true",
    "retention.ms": "-1",
    "segment.bytes": "67108864",
    "segment.ms": "600000",
    "stream.index.enable": "false",
}
"""Those whose default, or whose very existence, is Everlog's (blueprint, D6, D14, D22)."""

each_setting = pytest.mark.parametrize(
    "setting", TOPIC_SETTINGS.values(), ids=lambda each: each.name
)


@pytest.mark.rule("BP-D22")
def test_there_is_every_setting_of_kafka_and_the_defaults_are_as_decided() -> None:
    found = {name: setting.default_text for name, setting in TOPIC_SETTINGS.items()}
    assert found == KAFKA_DEFAULTS | OWN_DEFAULTS


@each_setting
def test_a_setting_is_documented(setting: Setting) -> None:
    assert setting.documentation.endswith(".")
    assert len(setting.documentation) > 15
    if setting.name.endswith((".ms", ".bytes")):
        assert re.search("millisecond|byte", setting.documentation, re.IGNORECASE)


@each_setting
def test_a_default_can_be_written_and_read_back(setting: Setting) -> None:
    assert setting.default_text is not None
    assert setting.parse(setting.default_text) == setting.default


@each_setting
def test_a_value_of_the_wrong_kind_is_refused_with_advice(setting: Setting) -> None:
    with pytest.raises(InvalidConfigError, match=f"{setting.name}=1, x!: write "):
        setting.parse("1, x!")


@each_setting
def test_a_setting_can_be_changed_while_brokers_run(setting: Setting) -> None:
    assert setting.dynamic


@each_setting
def test_each_broker_synonym_exists_and_has_the_same_type(setting: Setting) -> None:
    for synonym in setting.synonyms:
        broker = BROKER_SETTINGS[synonym.name]
        assert broker.type is (setting.type if synonym.scale == 1 else SettingType.INT)
        assert broker.choices == setting.choices


@pytest.mark.parametrize("name", sorted(RETIRED_TOPIC_SETTINGS))
def test_retired_settings_are_not_described(name: str) -> None:
    assert name not in TOPIC_SETTINGS


@pytest.mark.parametrize("text", ["0", "-2", "10"])
def test_gzip_has_the_levels_of_kafka(text: str) -> None:
    assert TOPIC_SETTINGS["compression.gzip.level"].parse("-1") == -1
    with pytest.raises(InvalidConfigError, match="9"):
        TOPIC_SETTINGS["compression.gzip.level"].parse(text)
