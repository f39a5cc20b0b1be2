import re

import pytest

from service.model.broker_settings import (
    BROKER_OWN_SETTINGS,
    BROKER_SETTINGS,
    TOPIC_DEFAULT_SETTINGS,
    all_names,
    canonical_name,
)
from service.model.config_definition import InvalidConfigError, Setting
from service.model.topic_settings import TOPIC_SETTINGS

each_setting = pytest.mark.parametrize(
    "setting", BROKER_SETTINGS.values(), ids=lambda each: each.name
)


@each_setting
def test_a_setting_is_documented(setting: Setting) -> None:
    assert setting.documentation.endswith(".")
    assert len(setting.documentation) > 15


@each_setting
def test_a_default_can_be_written_and_read_back(setting: Setting) -> None:
    if setting.default_text is not None:
        assert setting.parse(setting.default_text) == setting.default


@each_setting
def test_a_name_can_be_turned_into_a_variable_and_an_attribute(setting: Setting) -> None:
    assert re.fullmatch(r"[a-z0-9]+(\.[a-z0-9]+)*", setting.name)


@each_setting
def test_a_number_out_of_range_is_refused_with_advice(setting: Setting) -> None:
    if setting.type.bounds is not None:
        with pytest.raises(InvalidConfigError, match=f"{setting.name}={'9' * 20}: write "):
            setting.parse("9" * 20)


def test_each_topic_setting_has_the_default_that_its_first_synonym_gives() -> None:
    for topic in TOPIC_SETTINGS.values():
        for rank, synonym in enumerate(topic.synonyms):
            broker = TOPIC_DEFAULT_SETTINGS[synonym.name]
            assert broker.default == (topic.default if rank == 0 else None)
            assert topic.name in broker.documentation


def test_only_what_takes_effect_at_run_time_can_be_changed_then() -> None:
    dynamic = {name for name, setting in BROKER_SETTINGS.items() if setting.dynamic}
    own = {name for name, setting in BROKER_OWN_SETTINGS.items() if setting.dynamic}
    assert own == {
        "archive.scrub.since.ms",
        "follower.replication.throttled.rate",
        "leader.replication.throttled.rate",
    }, "who reads it asks each time"
    assert dynamic - TOPIC_DEFAULT_SETTINGS.keys() - own == {
        "replica.alter.log.dirs.io.max.bytes.per.second",
        "sasl.kerberos.min.time.before.relogin",
    }


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("num.partitions", "1"),
        ("auto.create.topics.enable", "true"),
        ("delete.topic.enable", "true"),
        ("min.insync.replicas", "2"),
        ("log.retention.ms", "-1"),
        ("log.retention.hours", None),
        ("log.local.retention.ms", "86400000"),
        ("log.segment.bytes", "67108864"),
        ("log.roll.ms", "600000"),
        ("log.flush.interval.messages", "1"),
        ("remote.storage.enable", "true"),
        ("message.max.bytes", "1048588"),
        ("socket.request.max.bytes", "104857600"),
        ("queued.max.request.bytes", "268435456"),
        ("connections.max.idle.ms", "600000"),
        ("fetch.max.bytes", "57671680"),
        ("max.incremental.fetch.session.cache.slots", "1000"),
        ("flush.threads", "8"),
        ("log.local.disk.high", "80%"),
        ("remote.cache.bytes", "1073741824"),
        ("archive.reader.grace.ms", "3600000"),
        ("admin.port", "0"),
        ("offsets.topic.num.partitions", "50"),
        ("offsets.retention.minutes", "10080"),
        ("group.initial.rebalance.delay.ms", "3000"),
        ("producer.id.expiration.ms", "86400000"),
        ("replica.lag.time.max.ms", "30000"),
        ("inter.broker.protocol.version", "4.1"),
    ],
)
def test_defaults_are_as_decided(name: str, default: str | None) -> None:
    assert BROKER_SETTINGS[name].default_text == default


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("log.dirs", "data.dir"),
        ("log.dir", "data.dir"),
        ("inflight.bytes.max", "queued.max.request.bytes"),
        ("cache.dir", "remote.cache.dir"),
        ("data.dir", "data.dir"),
        ("no.such.setting", "no.such.setting"),
    ],
)
def test_a_setting_is_found_by_any_of_its_names(alias: str, name: str) -> None:
    assert canonical_name(alias) == name


def test_no_name_stands_for_two_settings() -> None:
    names = all_names()
    assert len(set(names)) == len(names)


def test_what_is_secret_is_never_shown() -> None:
    secrets = {name for name, setting in BROKER_SETTINGS.items() if setting.sensitive}
    assert secrets == {name for name in BROKER_SETTINGS if name.endswith(".password")}
    assert "zookeeper.sasl.password" in secrets
