"""Settings of Kafka that a broker of Everlog does not have, each with what to do instead.

Somebody who brings a ``server.properties`` along meets these first.
"""

from collections.abc import Mapping

_ONE_LOOP = (
    "a broker is one process with one event loop; leave it out, and run more brokers for more"
)
_NO_SECURITY = "TLS, authentication and authorization do not exist yet; leave it out"
_NO_QUOTAS = "quotas do not exist yet; leave it out"
_NO_TRANSACTIONS = "transactions have no settings yet; leave it out"
_ONE_CLEANER = (
    "compaction is always on and needs no tuning; leave it out (the settings of topics have their "
    "defaults by log.cleaner.delete.retention.ms and the like)"
)
_NO_RAFT = "metadata is kept by ZooKeeper (zookeeper.connect) or by the broker itself; leave it out"
_NO_PLUGINS = "classes of Java cannot be loaded; leave it out"
_BUILT_IN = "tiering is built in: set store.url, and remote.storage.enable for topics"

_ABSENT: Mapping[str, str] = {
    "advertised.host.name": "set advertised.listeners",
    "advertised.port": "set advertised.listeners",
    "host.name": "set listeners",
    "port": "set listeners",
    "node.id": "set broker.id",
    "process.roles": _NO_RAFT,
    "early.start.listeners": _NO_RAFT,
    "broker.session.timeout.ms": "set zookeeper.session.timeout.ms",
    "background.threads": _ONE_LOOP,
    "num.io.threads": f"{_ONE_LOOP} (flush.threads and read.threads are about the disk)",
    "num.network.threads": _ONE_LOOP,
    "num.replica.fetchers": _ONE_LOOP,
    "num.recovery.threads.per.data.dir": _ONE_LOOP,
    "queued.max.requests": "set queued.max.request.bytes",
    "zookeeper.ssl.truststore.password": "certificates in PEM need none; leave it out",
    **dict.fromkeys(
        (
            "zookeeper.ssl.cipher.suites",
            "zookeeper.ssl.crl.enable",
            "zookeeper.ssl.enabled.protocols",
            "zookeeper.ssl.ocsp.enable",
            "zookeeper.ssl.protocol",
        ),
        "TLS goes by what OpenSSL is set to; leave it out",
    ),
    "zookeeper.clientCnxnSocket": "zookeeper.ssl.client.enable is enough; leave it out",
    "zookeeper.max.in.flight.requests": "it is not to be set; leave it out",
    "zookeeper.sync.time.ms": "it has no meaning since Kafka 0.8; leave it out",
    "authorizer.class.name": _NO_SECURITY,
    "super.users": _NO_SECURITY,
    "allow.everyone.if.no.acl.found": _NO_SECURITY,
    "principal.builder.class": _NO_SECURITY,
    "connections.max.reauth.ms": _NO_SECURITY,
    "log.message.format.version": "there is one format of messages; leave it out",
    "create.topic.policy.class.name": _NO_PLUGINS,
    "alter.config.policy.class.name": _NO_PLUGINS,
    "metric.reporters": "metrics are at /metrics on admin.port; leave it out",
}

_ABSENT_PREFIXES: Mapping[str, str] = {
    "ssl.": _NO_SECURITY,
    "sasl.": _NO_SECURITY,
    "security.": _NO_SECURITY,
    "listener.name.": _NO_SECURITY,
    "delegation.token.": _NO_SECURITY,
    "controller.": _NO_RAFT,
    "metadata.log.": _NO_RAFT,
    "transaction.": _NO_TRANSACTIONS,
    "transactional.id.": _NO_TRANSACTIONS,
    "remote.log.": _BUILT_IN,
    "rlmm.config.": _BUILT_IN,
    "rsm.config.": _BUILT_IN,
    "log.cleaner.": _ONE_CLEANER,
    "quota.": _NO_QUOTAS,
    "client.quota.": _NO_QUOTAS,
    "replication.quota.": _NO_QUOTAS,
    "group.consumer.": "the newer group protocol (KIP-848) does not exist yet; leave it out",
    "group.share.": "share groups (KIP-932) do not exist; leave it out",
    "kafka.metrics.": "metrics are at /metrics on admin.port; leave it out",
    "metrics.": "metrics are at /metrics on admin.port; leave it out",
    "confluent.": "it belongs to Confluent Platform; leave it out",
}


def absent_setting_advice(name: str) -> str | None:
    """Say what to do about a setting of Kafka that does not exist here; None for any other name."""
    if name in _ABSENT:
        return _ABSENT[name]
    matches = (advice for prefix, advice in _ABSENT_PREFIXES.items() if name.startswith(prefix))
    return next(matches, None)
