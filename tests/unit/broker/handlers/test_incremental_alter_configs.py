import pytest

from service.broker.config_altering import ConfigAltering
from service.broker.handlers.incremental_alter_configs import IncrementalAlterConfigsHandler
from service.partition.errors import UnknownPartitionError
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from tests.unit.broker.config_cluster import ConfigCluster, broker_config, request_context

SET, DELETE, APPEND, SUBTRACT = range(4)
TOPIC, BROKER = 2, 4

Changed = tuple[int, str, str | None]


def resource(kind: int, name: str, *changes: Changed) -> AlterConfigsResource:
    return AlterConfigsResource(
        resource_type=kind,
        resource_name=name,
        configs=[
            AlterableConfig(name=setting, config_operation=operation, value=value)
            for operation, setting, value in changes
        ],
    )


async def outcomes(
    cluster: ConfigCluster, *resources: AlterConfigsResource, validate_only: bool = False
) -> list[tuple[int, str | None]]:
    altering = ConfigAltering(
        images=cluster.images, config=broker_config(), topics=cluster, brokers=cluster
    )
    handler = IncrementalAlterConfigsHandler(altering=altering)
    request = IncrementalAlterConfigsRequest(resources=list(resources), validate_only=validate_only)
    response = await handler(request_context(1), request)
    named = [(each.resource_type, each.resource_name) for each in response.responses]
    assert named == [(each.resource_type, each.resource_name) for each in resources]
    return [(each.error_code, each.error_message) for each in response.responses]


async def outcome(
    cluster: ConfigCluster, kind: int, name: str, *changes: Changed
) -> tuple[int, str]:
    [(code, message)] = await outcomes(cluster, resource(kind, name, *changes))
    return code, message or ""


async def test_the_settings_of_a_topic_are_set_and_the_rest_is_left() -> None:
    cluster = ConfigCluster({"orders": {"segment.ms": "5", "retention.ms": "9"}})
    code, _ = await outcome(
        cluster,
        TOPIC,
        "orders",
        (SET, "segment.bytes", "2048"),
        (DELETE, "segment.ms", None),
        (APPEND, "cleanup.policy", "compact"),
    )
    assert code == ErrorCode.NONE
    assert cluster.topic("orders") == {
        "retention.ms": "9",
        "segment.bytes": "2048",
        "cleanup.policy": "delete,compact",
    }


async def test_validation_alone_changes_nothing() -> None:
    cluster = ConfigCluster({"orders": {}})
    good = resource(TOPIC, "orders", (SET, "segment.ms", "5"))
    bad = resource(BROKER, "", (SET, "log.segment.bytes", "x"))
    found = await outcomes(cluster, good, bad, validate_only=True)
    assert [code for code, _ in found] == [ErrorCode.NONE, ErrorCode.INVALID_CONFIG]
    assert cluster.writes == 0


async def test_a_resource_that_is_refused_does_not_stop_the_others() -> None:
    cluster = ConfigCluster({"orders": {}, "clicks": {}})
    found = await outcomes(
        cluster,
        resource(TOPIC, "orders", (SET, "segment.ms", "x"), (SET, "segment.bytes", "2048")),
        resource(TOPIC, "clicks", (SET, "segment.ms", "5")),
    )
    assert [code for code, _ in found] == [ErrorCode.INVALID_CONFIG, ErrorCode.NONE]
    assert cluster.topic("orders") == {}
    assert cluster.topic("clicks") == {"segment.ms": "5"}


REFUSED = [
    (TOPIC, "orders", (SET, "retentoin.ms", "5"), ErrorCode.INVALID_CONFIG, "did you mean"),
    (TOPIC, "orders", (SET, "retention.ms", "x"), ErrorCode.INVALID_CONFIG, "write a whole"),
    (TOPIC, "orders", (APPEND, "retention.ms", "5"), ErrorCode.INVALID_CONFIG, "no list"),
    (TOPIC, "orders", (SET, "retention.ms", None), ErrorCode.INVALID_REQUEST, "a value is missing"),
    (TOPIC, "orders", (APPEND, "cleanup.policy", None), ErrorCode.INVALID_REQUEST, "missing"),
    (TOPIC, "orders", (4, "retention.ms", "5"), ErrorCode.INVALID_REQUEST, "0 (set), 1 (delete)"),
    (TOPIC, "nope", (SET, "retention.ms", "5"), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "'nope'"),
    (TOPIC, "", (SET, "retention.ms", "5"), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "no topic"),
    (BROKER, "8", (SET, "log.roll.ms", "5"), ErrorCode.INVALID_REQUEST, "this is broker 7"),
    (BROKER, "x", (SET, "log.roll.ms", "5"), ErrorCode.INVALID_REQUEST, "this is broker 7"),
    (BROKER, "7", (SET, "num.partitions", "5"), ErrorCode.INVALID_REQUEST, "restart it"),
    (BROKER, "7", (SET, "no.such", "5"), ErrorCode.INVALID_CONFIG, "everlog config list"),
    (BROKER, "", (SET, "log.roll.ms", "0"), ErrorCode.INVALID_CONFIG, "from 1 to"),
    (8, "7", (SET, "kafka.log", "INFO"), ErrorCode.INVALID_REQUEST, "type 8 have no settings"),
    (32, "group", (SET, "x", "1"), ErrorCode.INVALID_REQUEST, "type 32 have no settings"),
]


@pytest.mark.rule("REL-5.51")
@pytest.mark.parametrize(("kind", "name", "change", "code", "advice"), REFUSED)
async def test_what_cannot_be_is_refused_with_advice(
    kind: int, name: str, change: Changed, code: ErrorCode, advice: str
) -> None:
    cluster = ConfigCluster({"orders": {}})
    found, message = await outcome(cluster, kind, name, change)
    assert found == code
    assert advice in message
    assert cluster.writes == 0


async def test_a_setting_that_is_named_twice_is_refused() -> None:
    cluster = ConfigCluster({"orders": {}})
    code, message = await outcome(
        cluster, TOPIC, "orders", (SET, "segment.ms", "5"), (DELETE, "segment.ms", None)
    )
    assert (code, cluster.writes) == (ErrorCode.INVALID_REQUEST, 0)
    assert "named more than once: segment.ms" in message


async def test_a_resource_that_is_named_twice_is_refused_both_times() -> None:
    cluster = ConfigCluster({"orders": {}, "clicks": {}})
    twice = resource(TOPIC, "orders", (SET, "segment.ms", "5"))
    other = resource(TOPIC, "clicks", (SET, "segment.ms", "5"))
    found = await outcomes(cluster, twice, other, twice)
    codes = [code for code, _ in found]
    assert codes == [ErrorCode.INVALID_REQUEST, ErrorCode.NONE, ErrorCode.INVALID_REQUEST]
    assert cluster.topic("orders") == {}


async def test_a_change_is_made_of_the_newest_settings_when_somebody_else_was_faster() -> None:
    cluster = ConfigCluster({"orders": {"segment.ms": "5"}})
    cluster.races = [{"segment.ms": "6", "retention.ms": "9"}]
    code, _ = await outcome(cluster, TOPIC, "orders", (APPEND, "cleanup.policy", "compact"))
    assert code == ErrorCode.NONE
    assert cluster.topic("orders") == {
        "segment.ms": "6",
        "retention.ms": "9",
        "cleanup.policy": "delete,compact",
    }


async def test_a_change_that_a_faster_one_makes_impossible_is_refused() -> None:
    cluster = ConfigCluster({"orders": {}})
    cluster.races = [{"local.retention.ms": "5000"}]
    code, message = await outcome(cluster, TOPIC, "orders", (SET, "retention.ms", "1000"))
    assert code == ErrorCode.INVALID_CONFIG
    assert "local.retention.ms=5000" in message
    assert cluster.topic("orders") == {}


async def test_a_topic_that_is_deleted_meanwhile_is_unknown() -> None:
    cluster = ConfigCluster({"orders": {}})
    cluster.failure = UnknownPartitionError("it is gone")
    code, message = await outcome(cluster, TOPIC, "orders", (SET, "retention.ms", "1000"))
    assert (code, message) == (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "it is gone")


async def test_settings_of_this_broker_and_of_all_are_kept_apart() -> None:
    cluster = ConfigCluster()
    found = await outcomes(
        cluster,
        resource(BROKER, "7", (SET, "log.retention.hours", "1")),
        resource(BROKER, "", (SET, "log.retention.hours", "2")),
    )
    assert [code for code, _ in found] == [ErrorCode.NONE, ErrorCode.NONE]
    assert cluster.broker(7) == {"log.retention.hours": "1"}
    assert cluster.broker(None) == {"log.retention.hours": "2"}


async def test_an_unbounded_message_is_cut_to_what_a_response_can_carry() -> None:
    cluster = ConfigCluster({"orders": {}})
    changes = [(SET, f"{'x' * 300}.{number}", "1") for number in range(500)]
    code, message = await outcome(cluster, TOPIC, "orders", *changes)
    assert code == ErrorCode.INVALID_CONFIG
    assert len(message) < 4096
