import dataclasses
from collections.abc import Mapping

import pytest

from everlog.model.ids import NodeId
from service.model.broker_config import (
    BrokerConfig,
    GivenValue,
    InvalidBrokerConfigError,
    Origin,
    attribute_name,
)
from service.model.broker_settings import BROKER_OWN_SETTINGS
from service.model.cluster import Endpoint
from service.model.config_layers import ConfigLayers
from service.model.disk_limit import DiskLimit, critical_above
from service.model.listen_address import ListenAddress


def said(values: Mapping[str, str]) -> dict[str, GivenValue]:
    return {
        name: GivenValue(text=text, origin=Origin.FILE, where="broker.toml")
        for name, text in values.items()
    }


def config_of(**values: str) -> BrokerConfig:
    return BrokerConfig.of(said({name.replace("_", "."): text for name, text in values.items()}))


def problems_of(**values: str) -> list[str]:
    with pytest.raises(InvalidBrokerConfigError) as caught:
        config_of(**values)
    return [problem.text for problem in caught.value.problems]


def test_there_is_an_attribute_for_each_setting_of_the_broker_and_no_other() -> None:
    attributes = {field.name for field in dataclasses.fields(BrokerConfig)} - {"given"}
    assert attributes == {attribute_name(name) for name in BROKER_OWN_SETTINGS}


def test_a_broker_starts_with_nothing_said() -> None:
    config = BrokerConfig.of({})
    assert config.broker_id == 1
    assert config.listeners == (ListenAddress(listener="PLAINTEXT", host="127.0.0.1", port=9092),)
    assert config.advertised_listeners == config.listeners
    assert config.inter_broker_listener_name == "PLAINTEXT"
    assert config.log_local_disk_high == DiskLimit(percent=80)
    assert config.log_local_disk_critical == critical_above(DiskLimit(percent=80))
    assert config.zookeeper_connect is None


def test_what_was_said_is_typed_and_remembered() -> None:
    config = config_of(num_partitions="4", watchdog_enable="FALSE", log_local_disk_high="5000000")
    assert config.num_partitions == 4
    assert config.watchdog_enable is False
    assert config.log_local_disk_high == DiskLimit(bytes_max=5_000_000)
    assert config.log_local_disk_critical == DiskLimit(bytes_max=5_500_000)
    assert config.given["num.partitions"] == GivenValue(
        text="4", origin=Origin.FILE, where="broker.toml"
    )
    assert "flush.threads" not in config.given


def test_everything_wrong_is_said_at_once_each_with_its_place() -> None:
    problems = problems_of(num_partitions="many", node_id="3", log_segment_byte="1")
    assert problems == [
        "broker.toml: num.partitions=many: write a whole number from 1 to 2147483647",
        "broker.toml: node.id: set broker.id",
        "broker.toml: log.segment.byte: no such setting exists; did you mean log.segment.bytes?",
    ]


def test_listeners_may_be_named_and_are_advertised_in_their_order() -> None:
    config = config_of(
        listeners="CLIENTS://:9092,INTERNAL://10.0.0.7:0",
        advertised_listeners="INTERNAL://10.0.0.7:0,clients://kafka.example.com:19092",
        listener_security_protocol_map="CLIENTS:PLAINTEXT,internal:plaintext",
        inter_broker_listener_name="internal",
    )
    assert config.inter_broker_listener_name == "INTERNAL"
    assert config.endpoints({"CLIENTS": 9092, "INTERNAL": 40001}) == (
        Endpoint(listener="CLIENTS", host="kafka.example.com", port=19092, security="PLAINTEXT"),
        Endpoint(listener="INTERNAL", host="10.0.0.7", port=40001, security="PLAINTEXT"),
    )


@pytest.mark.parametrize(("registered", "replicas"), [(1, 1), (2, 2), (3, 3), (7, 3)])
@pytest.mark.rule("BP-D22")
def test_a_topic_gets_three_replicas_or_as_many_as_brokers_have_registered(
    registered: int, replicas: int
) -> None:
    config = BrokerConfig.of({})
    assert config.replication_factor(registered_brokers=registered) == replicas
    assert config.offsets_replication_factor(registered_brokers=registered) == replicas


def test_a_replication_factor_that_somebody_set_is_taken_at_its_word() -> None:
    config = config_of(default_replication_factor="5", offsets_topic_replication_factor="4")
    assert config.replication_factor(registered_brokers=1) == 5
    assert config.offsets_replication_factor(registered_brokers=1) == 4


def test_settings_of_the_run_time_go_on_top_of_the_file() -> None:
    config = config_of(broker_id="7", log_retention_ms="1")
    dynamic: dict[NodeId | None, Mapping[str, str]] = {
        None: {"log.retention.ms": "2"},
        NodeId(7): {"log.retention.ms": "3"},
        NodeId(8): {"log.retention.ms": "4"},
    }
    assert config.layers(dynamic) == ConfigLayers(
        static={"broker.id": "7", "log.retention.ms": "1"},
        cluster={"log.retention.ms": "2"},
        broker={"log.retention.ms": "3"},
    )
    assert config.layers({}).topic_defaults()["retention.ms"] == 1
