import pytest

from service.broker.config_altering import ConfigAltering
from service.broker.handlers.alter_configs import AlterConfigsHandler
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.alter_configs import (
    AlterableConfig,
    AlterConfigsRequest,
    AlterConfigsResource,
)
from tests.unit.broker.config_cluster import ConfigCluster, broker_config, request_context

TOPIC, BROKER = 2, 4


async def outcome(
    cluster: ConfigCluster,
    kind: int,
    name: str,
    *configs: tuple[str, str | None],
    validate_only: bool = False,
) -> tuple[int, str]:
    altering = ConfigAltering(
        images=cluster.images, config=broker_config(), topics=cluster, brokers=cluster
    )
    resource = AlterConfigsResource(
        resource_type=kind,
        resource_name=name,
        configs=[AlterableConfig(name=setting, value=value) for setting, value in configs],
    )
    request = AlterConfigsRequest(resources=[resource], validate_only=validate_only)
    [found] = (await AlterConfigsHandler(altering=altering)(request_context(2), request)).responses
    assert (found.resource_type, found.resource_name) == (kind, name)
    return found.error_code, found.error_message or ""


async def test_the_settings_of_a_topic_are_replaced() -> None:
    cluster = ConfigCluster({"orders": {"segment.ms": "5", "retention.ms": "9"}})
    configs = (("compression.type", "gzip"), ("flush.ms", "12345678"))
    assert await outcome(cluster, TOPIC, "orders", *configs) == (ErrorCode.NONE, "")
    assert cluster.topic("orders") == dict(configs)


async def test_no_settings_take_a_topic_back_to_the_defaults() -> None:
    cluster = ConfigCluster({"orders": {"segment.ms": "5"}})
    assert await outcome(cluster, TOPIC, "orders") == (ErrorCode.NONE, "")
    assert cluster.topic("orders") == {}


async def test_validation_alone_changes_nothing() -> None:
    cluster = ConfigCluster({"orders": {}})
    found = await outcome(cluster, TOPIC, "orders", ("segment.ms", "5"), validate_only=True)
    assert (found, cluster.writes) == ((ErrorCode.NONE, ""), 0)


async def test_the_settings_of_a_broker_at_run_time_are_replaced() -> None:
    cluster = ConfigCluster(dynamic={None: {"log.roll.ms": "5"}})
    configs = (("log.retention.ms", "7"), ("sasl.kerberos.min.time.before.relogin", "58000"))
    assert await outcome(cluster, BROKER, "7", *configs) == (ErrorCode.NONE, "")
    assert cluster.broker(7) == dict(configs)
    assert cluster.broker(None) == {"log.roll.ms": "5"}


REFUSED = [
    (TOPIC, "orders", ("segment.ms", None), ErrorCode.INVALID_REQUEST, "a value is missing"),
    (TOPIC, "orders", ("no.such.thing", "5"), ErrorCode.INVALID_CONFIG, "no such setting"),
    (TOPIC, "orders", ("segment.ms", "x"), ErrorCode.INVALID_CONFIG, "write a whole number"),
    (TOPIC, "nope", ("compression.type", "lz4"), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "nope"),
    (BROKER, "8", ("log.roll.ms", "5"), ErrorCode.INVALID_REQUEST, "this is broker 7"),
    (BROKER, "7", ("listeners", "A://a:1"), ErrorCode.INVALID_REQUEST, "restart it"),
    (16, "subscription", ("interval.ms", "5"), ErrorCode.INVALID_REQUEST, "type 16"),
]


@pytest.mark.rule("REL-5.51")
@pytest.mark.parametrize(("kind", "name", "config", "code", "advice"), REFUSED)
async def test_what_cannot_be_is_refused_with_advice(
    kind: int, name: str, config: tuple[str, str | None], code: ErrorCode, advice: str
) -> None:
    cluster = ConfigCluster({"orders": {"segment.ms": "1"}})
    found, message = await outcome(cluster, kind, name, config)
    assert found == code
    assert advice in message
    assert cluster.topic("orders") == {"segment.ms": "1"}


async def test_a_setting_that_is_named_twice_is_refused() -> None:
    cluster = ConfigCluster({"orders": {}})
    configs = (("segment.ms", "5"), ("segment.ms", "6"))
    code, message = await outcome(cluster, TOPIC, "orders", *configs)
    assert code == ErrorCode.INVALID_REQUEST
    assert "named more than once: segment.ms" in message
