from service.app.zookeeper_metadata import zookeeper_settings
from service.coordination.zookeeper.settings import (
    Credentials,
    ZooKeeperAddress,
    ZooKeeperSettings,
    ZooKeeperTls,
)
from service.model.broker_config import BrokerConfig, GivenValue, Origin

PLAIN = {"zookeeper.connect": "a:1,b/x", "remote.storage.enable": "false"}
HUSH = "hush"


def settings(texts: dict[str, str]) -> ZooKeeperSettings:
    given = {
        name: GivenValue(text=text, origin=Origin.FLAG, where="--set")
        for name, text in texts.items()
    }
    return zookeeper_settings(BrokerConfig.of(given))


def test_an_address_is_enough() -> None:
    assert settings(PLAIN) == ZooKeeperSettings(
        address=ZooKeeperAddress((("a", 1), ("b", 2181)), "/x"),
        session_seconds=9.0,
        connection_seconds=15.0,
    )


def test_everything_else_is_passed_on() -> None:
    found = settings(
        PLAIN
        | {
            "zookeeper.session.timeout.ms": "6500",
            "zookeeper.connection.timeout.ms": "2500",
            "zookeeper.ssl.client.enable": "true",
            "zookeeper.ssl.truststore.location": "/ca.pem",
            "zookeeper.ssl.keystore.location": "/me.pem",
            "zookeeper.ssl.keystore.password": "key-hush",
            "zookeeper.ssl.endpoint.identification.algorithm": "",
            "zookeeper.sasl.user": "ann",
            "zookeeper.sasl.password": HUSH,
            "zookeeper.digest.user": "bob",
            "zookeeper.digest.password": HUSH,
            "zookeeper.set.acl": "true",
        }
    )
    assert (found.session_seconds, found.connection_seconds) == (6.5, 2.5)
    key_password = f"key-{HUSH}"
    assert found.tls == ZooKeeperTls(
        trusted="/ca.pem", certificate="/me.pem", key_password=key_password, checks_host=False
    )
    assert found.sasl == Credentials(user="ann", password=HUSH)
    assert found.digest == Credentials(user="bob", password=HUSH)
    assert found.owns_nodes
