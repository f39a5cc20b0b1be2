"""Topics and settings that cannot be: rows 49-51 of the catalogue of bad input."""

from pathlib import Path

import pytest

from service.protocol.messages.alter_configs import (
    AlterableConfig,
    AlterConfigsRequest,
    AlterConfigsResource,
)
from service.protocol.messages.create_topics import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from service.protocol.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
)
from service.protocol.messages.metadata import MetadataRequest, MetadataRequestTopic
from tests.integration.bad_input.broker_process import BrokerProcess
from tests.integration.bad_input.wire import Wire, a_batch

UNKNOWN_TOPIC_OR_PARTITION = 3
INVALID_TOPIC = 17
INVALID_PARTITIONS = 37
INVALID_REPLICATION_FACTOR = 38
INVALID_CONFIG = 40
INVALID_REQUEST = 42
POLICY_VIOLATION = 44
TOPIC = 2


def rule(row: int) -> pytest.MarkDecorator:
    return pytest.mark.rule(f"REL-5.{row}")


NAMES = {
    "empty": "",
    "dot": ".",
    "dots": "..",
    "slash": "a/b",
    "long": "x" * 250,
    "longest": "x" * 32_000,
    "nul": "a\0b",
    "escape": "../../etc",
    "space": "a b",
    "umlaut": "ä",
    "newline": "a\nb",
}


def create(wire: Wire, name: str, *, version: int = 5, **fields: int) -> int:
    counts = {"num_partitions": 1, "replication_factor": 1, **fields}
    request = CreateTopicsRequest(topics=[CreatableTopic(name=name, **counts)], timeout_ms=5000)
    return int(wire.ask(request, version).topics[0].error_code)


@rule(49)
@pytest.mark.parametrize("version", [2, 5], ids=["v2", "v5"])
@pytest.mark.parametrize("name", NAMES, ids=[f"49-{name}" for name in NAMES])
def test_a_bad_name_is_refused_by_create_topics(wire: Wire, name: str, version: int) -> None:
    assert create(wire, NAMES[name], version=version) == INVALID_TOPIC


@rule(49)
@pytest.mark.parametrize("version", [1, 9], ids=["v1", "v9"])
@pytest.mark.parametrize("name", NAMES, ids=[f"49-{name}" for name in NAMES])
def test_a_bad_name_is_refused_by_auto_creation(wire: Wire, name: str, version: int) -> None:
    request = MetadataRequest(topics=[MetadataRequestTopic(name=NAMES[name])])
    if version >= 4:
        request.allow_auto_topic_creation = True
    (answer,) = wire.ask(request, version).topics
    assert (answer.error_code, answer.name) == (INVALID_TOPIC, NAMES[name])


@rule(49)
def test_names_that_differ_by_a_dot_collide(wire: Wire) -> None:
    assert create(wire, "collision.name") == 0
    assert create(wire, "collision_name") == INVALID_TOPIC
    request = MetadataRequest(topics=[MetadataRequestTopic(name="collision_name")])
    assert wire.ask(request, 1).topics[0].error_code == INVALID_TOPIC


@rule(49)
@pytest.mark.parametrize("name", NAMES, ids=[f"49-{name}" for name in NAMES])
def test_a_bad_name_is_unknown_to_produce_and_fetch(wire: Wire, name: str) -> None:
    assert wire.produce(NAMES[name], a_batch(), version=8).error_code == UNKNOWN_TOPIC_OR_PARTITION
    assert wire.fetch(NAMES[name]).error_code == UNKNOWN_TOPIC_OR_PARTITION


@rule(49)
def test_bad_names_touch_no_file(tmp_path: Path) -> None:
    broker = BrokerProcess(tmp_path)
    broker.start()
    try:
        with Wire(broker.address) as wire:
            before = {path for path in tmp_path.rglob("*") if path.is_dir()}
            for name in NAMES.values():
                create(wire, name)
                wire.ask(MetadataRequest(topics=[MetadataRequestTopic(name=name)]), 1)
            assert {path for path in tmp_path.rglob("*") if path.is_dir()} == before
    finally:
        broker.stop()


@rule(50)
@pytest.mark.parametrize("factor", [0, -2, 2, 32767], ids=lambda each: f"50-factor{each}")
def test_a_replication_factor_that_cannot_be_is_refused(wire: Wire, factor: int) -> None:
    assert create(wire, "bad-factor", replication_factor=factor) == INVALID_REPLICATION_FACTOR


@rule(50)
@pytest.mark.parametrize("count", [0, -2, 10**9, 2**31 - 1], ids=lambda each: f"50-count{each}")
def test_a_number_of_partitions_that_cannot_be_is_refused(wire: Wire, count: int) -> None:
    assert create(wire, "bad-count", num_partitions=count) in (INVALID_PARTITIONS, POLICY_VIOLATION)


@rule(50)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("no.such.setting", "1"),
        ("retention.ms", "x"),
        ("segment.bytes", "-5"),
        ("retention.ms", ""),
    ],
    ids=["50-unknown", "50-no-number", "50-negative", "50-empty"],
)
def test_a_bad_setting_of_a_new_topic_is_refused(wire: Wire, name: str, value: str) -> None:
    topic = CreatableTopic(
        name="bad-config",
        num_partitions=1,
        replication_factor=1,
        configs=[CreatableTopicConfig(name=name, value=value)],
    )
    answer = wire.ask(CreateTopicsRequest(topics=[topic], timeout_ms=5000), 5)
    assert answer.topics[0].error_code == INVALID_CONFIG


@rule(50)
@pytest.mark.parametrize(
    "name", ["__consumer_offsets", "__transaction_state"], ids=lambda n: f"50-{n}"
)
def test_an_internal_topic_is_not_created(wire: Wire, name: str) -> None:
    assert create(wire, name) == INVALID_TOPIC


@rule(50)
def test_a_topic_that_is_named_twice_is_refused(wire: Wire) -> None:
    topic = CreatableTopic(name="twice", num_partitions=1, replication_factor=1)
    answer = wire.ask(CreateTopicsRequest(topics=[topic, topic], timeout_ms=5000), 5)
    assert [each.error_code for each in answer.topics] == [INVALID_REQUEST]


@rule(51)
@pytest.mark.parametrize(
    ("name", "value"),
    [("no.such.setting", "1"), ("retention.ms", "soon"), ("flush.messages", "0")],
    ids=["51-unknown", "51-type", "51-range"],
)
def test_a_bad_setting_is_refused(wire: Wire, topic: str, name: str, value: str) -> None:
    resource = AlterConfigsResource(
        resource_type=TOPIC, resource_name=topic, configs=[AlterableConfig(name=name, value=value)]
    )
    answer = wire.ask(AlterConfigsRequest(resources=[resource]), 1)
    assert answer.responses[0].error_code == INVALID_CONFIG


@rule(51)
def test_no_secret_is_told(wire: Wire) -> None:
    wanted = DescribeConfigsResource(resource_type=4, resource_name="1", configuration_keys=None)
    answer = wire.ask(DescribeConfigsRequest(resources=[wanted]), 4)
    assert answer.results[0].error_code == 0
    configs = answer.results[0].configs
    assert configs
    assert all(each.value is None for each in configs if each.is_sensitive)
