from collections.abc import Mapping, Sequence

import pytest

from everlog.model.ids import NodeId
from service.broker.handlers.describe_configs import DescribeConfigsHandler
from service.model.broker_config import BrokerConfig
from service.model.broker_settings import BROKER_SETTINGS, all_names
from service.model.topic_settings import TOPIC_SETTINGS
from service.protocol.codec import encode_response
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResourceResult,
    DescribeConfigsResult,
)
from tests.unit.broker.config_cluster import ConfigCluster, broker_config, request_context

TOPIC, BROKER = 2, 4
FROM_TOPIC, FROM_BROKER, FROM_CLUSTER, FROM_FILE, DEFAULT = range(1, 6)


def described(
    cluster: ConfigCluster,
    kind: int,
    name: str,
    *,
    keys: Sequence[str] | None = None,
    config: BrokerConfig | None = None,
    details: bool = False,
) -> DescribeConfigsResult:
    handler = DescribeConfigsHandler(images=cluster.images, config=config or broker_config())
    resource = DescribeConfigsResource(
        resource_type=kind,
        resource_name=name,
        configuration_keys=None if keys is None else list(keys),
    )
    request = DescribeConfigsRequest(
        resources=[resource], include_synonyms=details, include_documentation=details
    )
    [result] = handler(request_context(), request).results
    assert (result.resource_type, result.resource_name) == (kind, name)
    return result


def entry(
    cluster: ConfigCluster, kind: int, name: str, key: str, config: BrokerConfig | None = None
) -> DescribeConfigsResourceResult:
    result = described(cluster, kind, name, keys=[key], config=config, details=True)
    assert result.error_code == ErrorCode.NONE
    [found] = result.configs
    assert found.name == key
    return found


def synonyms(found: DescribeConfigsResourceResult) -> list[tuple[str, str | None, int]]:
    return [(each.name, each.value, each.source) for each in found.synonyms]


def test_every_setting_of_a_topic_is_described() -> None:
    result = described(ConfigCluster({"orders": {}}), TOPIC, "orders")
    assert [each.name for each in result.configs] == sorted(TOPIC_SETTINGS)
    for each in result.configs:
        assert each.value == TOPIC_SETTINGS[each.name].default_text
        assert each.config_source == DEFAULT
        assert not each.read_only
        assert not each.is_sensitive
        assert each.synonyms == []
        assert each.documentation is None


def test_every_setting_of_a_broker_is_described_under_each_of_its_names() -> None:
    result = described(ConfigCluster(), BROKER, "7")
    assert sorted(each.name for each in result.configs) == sorted(all_names())
    by_name = {each.name: each for each in result.configs}
    assert by_name["log.dirs"].value == by_name["data.dir"].value == "./everlog-data"
    for name, setting in BROKER_SETTINGS.items():
        assert by_name[name].read_only is not setting.dynamic


def test_types_have_the_numbers_of_the_protocol_and_meanings_are_told_when_asked_for() -> None:
    cluster = ConfigCluster({"orders": {}})
    numbers = {
        key: entry(cluster, TOPIC, "orders", key).config_type
        for key in ("preallocate", "compression.type", "segment.bytes", "segment.ms")
    }
    assert list(numbers.values()) == [1, 2, 3, 5]
    assert entry(cluster, TOPIC, "orders", "min.cleanable.dirty.ratio").config_type == 6
    assert entry(cluster, TOPIC, "orders", "cleanup.policy").config_type == 7
    assert entry(cluster, BROKER, "7", "offsets.topic.replication.factor").config_type == 4
    meaning = entry(cluster, TOPIC, "orders", "compression.type").documentation
    assert meaning == TOPIC_SETTINGS["compression.type"].meaning


@pytest.mark.parametrize("keys", [[], None])
def test_no_keys_ask_for_all(keys: Sequence[str] | None) -> None:
    result = described(ConfigCluster({"orders": {}}), TOPIC, "orders", keys=keys)
    assert len(result.configs) == len(TOPIC_SETTINGS)


def test_keys_that_do_not_exist_are_left_out() -> None:
    keys = ["segment.ms", "no.such.thing"]
    result = described(ConfigCluster({"orders": {}}), TOPIC, "orders", keys=keys)
    assert [each.name for each in result.configs] == ["segment.ms"]


RETENTION_SOURCES: list[tuple[dict[str, Mapping[str, str]], str, list[tuple[str, str, int]]]] = [
    ({}, "-1", []),
    (
        {"file": {"log_retention_hours": "1"}},
        "3600000",
        [("log.retention.hours", "1", FROM_FILE)],
    ),
    (
        {"file": {"log_retention_hours": "1"}, "cluster": {"log.retention.minutes": "2"}},
        "120000",
        [("log.retention.minutes", "2", FROM_CLUSTER), ("log.retention.hours", "1", FROM_FILE)],
    ),
    (
        {"cluster": {"log.retention.ms": "2"}, "broker": {"log.retention.ms": "3"}},
        "3",
        [("log.retention.ms", "3", FROM_BROKER), ("log.retention.ms", "2", FROM_CLUSTER)],
    ),
]


@pytest.mark.parametrize(("layers", "value", "said"), RETENTION_SOURCES)
def test_a_value_is_told_with_where_it_comes_from(
    layers: Mapping[str, Mapping[str, str]],
    value: str,
    said: list[tuple[str, str, int]],
) -> None:
    dynamic: dict[NodeId | None, Mapping[str, str]] = {
        None: layers.get("cluster", {}),
        NodeId(7): layers.get("broker", {}),
        NodeId(8): {"log.retention.ms": "999"},
    }
    cluster = ConfigCluster({"mine": {"retention.ms": "77"}, "other": {}}, dynamic=dynamic)
    config = broker_config(**layers.get("file", {}))
    chain = [*said, ("log.retention.ms", "-1", DEFAULT)]

    other = entry(cluster, TOPIC, "other", "retention.ms", config)
    assert (other.value, other.config_source) == (value, chain[0][2])
    assert synonyms(other) == chain

    broker = entry(cluster, BROKER, "7", "log.retention.ms", config)
    assert (broker.value, broker.config_source) == (value, chain[0][2])
    assert synonyms(broker) == chain

    mine = entry(cluster, TOPIC, "mine", "retention.ms", config)
    assert (mine.value, mine.config_source) == ("77", FROM_TOPIC)
    assert synonyms(mine) == [("retention.ms", "77", FROM_TOPIC), *chain]


def test_hours_are_described_as_hours() -> None:
    config = broker_config(log_retention_hours="1")
    found = entry(ConfigCluster(), BROKER, "7", "log.retention.hours", config)
    assert (found.value, found.config_source) == ("1", FROM_FILE)
    unset = entry(ConfigCluster(), BROKER, "7", "log.retention.hours")
    assert (unset.value, unset.config_source) == (None, DEFAULT)


@pytest.mark.rule("BP-7")
def test_a_compacted_topic_is_described_exactly_and_is_not_tiered() -> None:
    cluster = ConfigCluster({"state": {"cleanup.policy": "compact"}})
    policy = entry(cluster, TOPIC, "state", "cleanup.policy")
    assert (policy.value, policy.config_source) == ("compact", FROM_TOPIC)
    assert entry(cluster, TOPIC, "state", "remote.storage.enable").value == "false"


def test_local_retention_is_described_as_it_holds() -> None:
    cluster = ConfigCluster({"short": {"retention.ms": "5"}})
    found = entry(cluster, TOPIC, "short", "local.retention.ms")
    assert (found.value, found.config_source) == ("5", DEFAULT)


@pytest.mark.rule("BP-D22")
@pytest.mark.parametrize(("brokers", "factor"), [(1, "1"), (2, "2"), (3, "3"), (5, "3")])
def test_tools_read_a_replication_factor_that_they_can_ask_for(brokers: int, factor: str) -> None:
    cluster = ConfigCluster(brokers=brokers)
    assert entry(cluster, BROKER, "7", "default.replication.factor").value == factor
    assert entry(cluster, BROKER, "7", "offsets.topic.replication.factor").value == factor
    config = broker_config(default_replication_factor="4")
    found = entry(cluster, BROKER, "7", "default.replication.factor", config)
    assert (found.value, found.config_source) == ("4", FROM_FILE)


def test_for_all_brokers_only_what_was_set_at_run_time_is_described() -> None:
    cluster = ConfigCluster(dynamic={None: {"log.roll.ms": "5"}, NodeId(7): {"log.roll.ms": "6"}})
    result = described(cluster, BROKER, "", config=broker_config(num_partitions="3"))
    [found] = result.configs
    assert (found.name, found.value, found.config_source) == ("log.roll.ms", "5", FROM_CLUSTER)
    assert described(cluster, BROKER, "", keys=["log.segment.bytes"]).configs == []


@pytest.mark.parametrize(
    ("kind", "name", "code", "message"),
    [
        (TOPIC, "nope", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "'nope'"),
        (TOPIC, "x" * 32_000, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "..."),
        (BROKER, "8", ErrorCode.INVALID_REQUEST, "this is broker 7"),
        (BROKER, "seven", ErrorCode.INVALID_REQUEST, "this is broker 7"),
        (8, "7", ErrorCode.INVALID_REQUEST, "type 8 have no settings here"),
        (0, "", ErrorCode.INVALID_REQUEST, "type 0 have no settings here"),
    ],
)
def test_what_cannot_be_described_is_refused(
    kind: int, name: str, code: ErrorCode, message: str
) -> None:
    result = described(ConfigCluster({"orders": {}}), kind, name)
    assert (result.error_code, result.configs) == (code, [])
    assert message in (result.error_message or "")
    assert len(result.error_message or "") < 4096


def test_a_stored_text_that_cannot_be_read_is_named() -> None:
    cluster = ConfigCluster({"orders": {"segment.bytes": "big"}})
    result = described(cluster, TOPIC, "orders")
    assert result.error_code == ErrorCode.INVALID_CONFIG
    assert "segment.bytes=big" in (result.error_message or "")


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_every_version_can_be_sent(version: int) -> None:
    cluster = ConfigCluster({"orders": {"segment.ms": "5"}})
    handler = DescribeConfigsHandler(images=cluster.images, config=broker_config())
    resources = [
        DescribeConfigsResource(resource_type=kind, resource_name=name, configuration_keys=None)
        for kind, name in ((TOPIC, "orders"), (TOPIC, "nope"), (BROKER, "7"), (BROKER, ""))
    ]
    request = DescribeConfigsRequest(
        resources=resources, include_synonyms=True, include_documentation=True
    )
    response = handler(request_context(version), request)
    frame = b"".join(map(bytes, encode_response(response, 32, version, 1)))
    assert b"segment.ms" in frame
