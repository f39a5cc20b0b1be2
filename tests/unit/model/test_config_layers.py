from collections.abc import Mapping

import pytest

from service.model.config_definition import InvalidConfigError
from service.model.config_layers import ConfigLayers, ConfigSource, SourcedText
from service.model.setting_type import INT_MAX, LONG_MAX
from service.model.topic_settings import TOPIC_SETTINGS
from service.model.topic_values import DEFAULT_VALUES

HOUR_MS = 3_600_000


def retention_of(**layers: Mapping[str, str]) -> object:
    return ConfigLayers(**layers).topic_defaults()["retention.ms"]


def test_a_broker_that_says_nothing_gives_topics_their_own_defaults() -> None:
    assert ConfigLayers().topic_defaults() == DEFAULT_VALUES


def test_the_broker_wins_over_the_cluster_and_both_over_the_file() -> None:
    static = {"log.retention.ms": "1"}
    cluster = {"log.retention.ms": "2"}
    broker = {"log.retention.ms": "3"}
    assert retention_of(static=static) == 1
    assert retention_of(static=static, cluster=cluster) == 2
    assert retention_of(static=static, cluster=cluster, broker=broker) == 3


def test_milliseconds_win_over_minutes_and_those_over_hours() -> None:
    hours, minutes = {"log.retention.hours": "5"}, {"log.retention.minutes": "7"}
    assert retention_of(static=hours) == 5 * HOUR_MS
    assert retention_of(static=hours | minutes) == 7 * 60_000
    assert retention_of(static=hours | minutes | {"log.retention.ms": "9"}) == 9


def test_hours_that_were_said_win_over_milliseconds_that_were_not() -> None:
    assert retention_of(static={"log.retention.hours": "168"}) == 168 * HOUR_MS


def test_hours_of_a_stronger_layer_win_over_milliseconds_of_a_weaker_one() -> None:
    assert retention_of(static={"log.retention.ms": "1"}, cluster={"log.retention.hours": "2"}) == (
        2 * HOUR_MS
    )


@pytest.mark.rule("TIER-16")
def test_the_greatest_number_of_hours_still_fits() -> None:
    value = retention_of(static={"log.retention.hours": str(INT_MAX)})
    assert isinstance(value, int)
    assert HOUR_MS < value <= LONG_MAX
    assert retention_of(static={"log.retention.hours": "-1"}) == -1


def test_the_texts_of_a_setting_are_told_the_strongest_first() -> None:
    layers = ConfigLayers(
        static={"log.retention.hours": "5"}, cluster={"log.retention.minutes": "7"}
    )
    assert layers.topic_texts(TOPIC_SETTINGS["retention.ms"]) == [
        SourcedText("log.retention.minutes", "7", ConfigSource.CLUSTER),
        SourcedText("log.retention.hours", "5", ConfigSource.STATIC),
        SourcedText("log.retention.ms", "-1", ConfigSource.DEFAULT),
    ]


def test_a_setting_without_synonyms_has_no_texts() -> None:
    assert ConfigLayers().topic_texts(TOPIC_SETTINGS["remote.log.copy.disable"]) == []


def test_the_value_of_a_broker_setting_is_that_of_the_strongest_layer() -> None:
    layers = ConfigLayers(static={"num.partitions": "4"})
    assert layers.broker_value("num.partitions") == 4
    assert layers.broker_value("flush.threads") == 8
    assert layers.broker_value("broker.rack") is None


def test_a_stored_text_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(InvalidConfigError, match=r"log\.segment\.bytes=big"):
        ConfigLayers(cluster={"log.segment.bytes": "big"}).topic_defaults()


def test_sources_have_the_numbers_of_the_protocol() -> None:
    assert [(each.name, each.value) for each in ConfigSource] == [
        ("TOPIC", 1),
        ("BROKER", 2),
        ("CLUSTER", 3),
        ("STATIC", 4),
        ("DEFAULT", 5),
    ]
