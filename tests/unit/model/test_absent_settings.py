import pytest

from service.model.absent_settings import absent_setting_advice
from service.model.broker_settings import all_names

KAFKA_SERVER_PROPERTIES = [
    "process.roles",
    "node.id",
    "controller.quorum.bootstrap.servers",
    "controller.listener.names",
    "num.network.threads",
    "num.io.threads",
    "num.recovery.threads.per.data.dir",
    "transaction.state.log.replication.factor",
    "ssl.keystore.location",
    "sasl.enabled.mechanisms",
    "security.inter.broker.protocol",
    "remote.log.storage.system.enable",
    "authorizer.class.name",
    "group.share.enable",
    "metric.reporters",
]
"""Names from the files that Kafka ships, which Everlog does not have."""


@pytest.mark.parametrize("name", KAFKA_SERVER_PROPERTIES)
def test_who_comes_from_kafka_is_told_what_to_do_instead(name: str) -> None:
    advice = absent_setting_advice(name)
    assert advice is not None
    assert "leave it out" in advice or "set " in advice


@pytest.mark.parametrize("name", all_names())
def test_no_setting_is_said_to_be_absent_under_its_very_name(name: str) -> None:
    exceptions = ("log.cleaner.", "sasl.kerberos.min")
    assert absent_setting_advice(name) is None or name.startswith(exceptions)


def test_other_names_are_left_to_the_spelling() -> None:
    assert absent_setting_advice("log.segment.byte") is None
