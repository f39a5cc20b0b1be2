from collections.abc import Mapping

import pytest

from service.model.broker_config import (
    BrokerConfig,
    GivenValue,
    InvalidBrokerConfigError,
    Origin,
)


def given(values: Mapping[str, str]) -> dict[str, GivenValue]:
    return {
        name: GivenValue(text=text, origin=Origin.FLAG, where=f"--set {name}")
        for name, text in values.items()
    }


REFUSED = [
    (
        {"listeners": "PLAINTEXT://:9092"},
        (
            "--set listeners: listeners=PLAINTEXT://:9092: nobody can connect to such an address; "
            "set advertised.listeners to one that clients reach, as PLAINTEXT://host:9092"
        ),
    ),
    (
        {"listeners": "PLAINTEXT://[::]:9092"},
        "set advertised.listeners to one that clients reach",
    ),
    (
        {"listeners": "PLAINTEXT://:1", "advertised.listeners": "PLAINTEXT://0.0.0.0:1"},
        "advertised.listeners=PLAINTEXT://0.0.0.0:1: nobody can connect",
    ),
    (
        {"advertised.listeners": "OTHER://a:1"},
        "write one address for each of the listeners PLAINTEXT",
    ),
    ({"listeners": "SASL_SSL://a:1"}, "TLS and SASL are not there yet; listen with PLAINTEXT://"),
    ({"listeners": "ssl://a:1"}, "listeners=SSL://a:1: TLS and SASL are not there yet"),
    ({"listeners": "MINE://a:1"}, "add it to listener.security.protocol.map, as MINE:PLAINTEXT"),
    (
        {
            "listeners": "A://a:1,B://a:1",
            "listener.security.protocol.map": "A:PLAINTEXT,B:PLAINTEXT",
        },
        "listeners=B://a:1: another listener has the same address",
    ),
    ({"inter.broker.listener.name": "X"}, "there is no such listener; write one of PLAINTEXT"),
    (
        {"message.max.bytes": "200000000"},
        "message.max.bytes=200000000: socket.request.max.bytes is 104857600; lower this or raise",
    ),
    (
        {"socket.request.max.bytes": "2048"},
        "socket.request.max.bytes=2048: message.max.bytes is 1048588; raise this or lower that",
    ),
    ({"queued.max.request.bytes": "1024"}, "raise this or lower that"),
    ({"group.min.session.timeout.ms": "2000000"}, "group.max.session.timeout.ms is 1800000"),
    ({"replica.socket.timeout.ms": "100"}, "replica.fetch.wait.max.ms is 2000; raise this"),
    ({"remote.cache.bytes": "1048576"}, "remote.fetch.range.bytes is 8388608; raise this"),
    ({"zookeeper.sasl.user": "ann"}, "zookeeper.sasl.password: zookeeper.sasl.user needs it"),
    ({"zookeeper.digest.password": "x"}, "zookeeper.digest.user: zookeeper.digest.password needs"),
    ({"zookeeper.set.acl": "true"}, "nodes must have an owner; set zookeeper.sasl.user"),
    (
        {"zookeeper.ssl.truststore.location": "/ca.pem"},
        "--set zookeeper.ssl.truststore.location: zookeeper.ssl.client.enable=false: TLS is off",
    ),
    ({"zookeeper.connect": "zk:2181"}, "store.url: brokers of a cluster share one archive"),
    (
        {"remote.storage.class": "GLACIER_IR"},
        "remote.storage.class=GLACIER_IR: only buckets have storage classes; leave this out",
    ),
    (
        {"remote.storage.class": "STANDARD_IA", "store.url": "file:///archive"},
        "or set store.url to s3://bucket/prefix",
    ),
    (
        {"remote.storage.class.later": "STANDARD_IA", "remote.storage.class.later.ms": "5"},
        "remote.storage.class.later=STANDARD_IA: only buckets have storage classes",
    ),
    (
        {"log.retention.ms": "5", "log.local.retention.ms": "6"},
        "--set log.local.retention.ms: log.local.retention.ms=6: retention.ms is 5",
    ),
    (
        {"log.retention.hours": "1", "log.local.retention.ms": "3600001"},
        "log.local.retention.ms=3600001: retention.ms is 3600000",
    ),
    (
        {"log.cleanup.policy": "compact", "remote.storage.enable": "true"},
        "remote.storage.enable=true: cleanup.policy is compact",
    ),
    (
        {"log.cleaner.min.compaction.lag.ms": "9", "log.cleaner.max.compaction.lag.ms": "8"},
        "log.cleaner.min.compaction.lag.ms=9: max.compaction.lag.ms is 8",
    ),
    (
        {"log.local.disk.high": "80%", "log.local.disk.critical": "79%"},
        "log.local.disk.critical=79%: log.local.disk.high is 80%; raise this or lower that",
    ),
    (
        {"log.local.disk.high": "2GiB", "log.local.disk.critical": "1GiB"},
        "log.local.disk.critical=1GiB: log.local.disk.high is 2GiB; raise this or lower that",
    ),
    (
        {"log.local.disk.critical": "1GiB"},
        "log.local.disk.critical=1GiB: log.local.disk.high is 80%; write both as shares",
    ),
    (
        {"archive.read.only": "true"},
        "give the URL of the store that the other cluster's brokers write to",
    ),
    (
        {"archive.read.only.cluster": "c"},
        "archive.read.only.cluster=c: only a read-only broker has a cluster to choose",
    ),
]


@pytest.mark.parametrize(("values", "problem"), REFUSED)
def test_what_does_not_go_together_is_refused_with_advice(
    values: Mapping[str, str], problem: str
) -> None:
    with pytest.raises(InvalidBrokerConfigError) as caught:
        BrokerConfig.of(given(values))
    [found] = caught.value.problems
    assert problem in found.text


@pytest.mark.parametrize(
    "values",
    [
        {"listeners": "PLAINTEXT://:9092", "advertised.listeners": "PLAINTEXT://broker:9092"},
        {"listeners": "PLAINTEXT://127.0.0.1:0"},
        {"zookeeper.connect": "zk:2181", "store.url": "s3://bucket"},
        {"remote.storage.class": "GLACIER_IR", "store.url": "s3://bucket"},
        {"remote.storage.class": "STANDARD"},
        {"zookeeper.connect": "zk:2181", "remote.storage.enable": "false"},
        {"zookeeper.set.acl": "true", "zookeeper.sasl.user": "a", "zookeeper.sasl.password": "b"},
        {"log.retention.ms": "5"},
        {"log.retention.hours": "1"},
        {"log.cleanup.policy": "compact"},
        {"log.local.disk.high": "100%"},
        {"archive.read.only": "true", "store.url": "s3://b", "archive.read.only.cluster": "c"},
        {"log.local.disk.high": "1GiB", "log.local.disk.critical": "1GiB"},
        {
            "listeners": "A://127.0.0.1:0,B://127.0.0.1:0",
            "listener.security.protocol.map": "A:PLAINTEXT,B:PLAINTEXT",
        },
    ],
)
def test_what_goes_together_is_taken(values: Mapping[str, str]) -> None:
    assert BrokerConfig.of(given(values)).given.keys() == values.keys()
