"""Which settings of a broker do not go together: what is wrong, and what to do about it."""

from collections.abc import Collection, Iterator, Mapping

from everlog.model.storage_class import StorageClass
from service.model.config_definition import InvalidConfigError
from service.model.config_layers import ConfigLayers, ConfigSource
from service.model.disk_limit import read_disk_limit
from service.model.listen_address import ListenAddress, read_listen_address
from service.model.setting_type import Value
from service.model.topic_settings import TOPIC_SETTINGS
from service.model.topic_values import contradictions
from service.model.zookeeper_rules import zookeeper_contradictions

Values = Mapping[str, Value | None]
"""A value, or None, for every setting of a broker."""

_AT_MOST = (
    ("message.max.bytes", "socket.request.max.bytes"),
    ("socket.request.max.bytes", "queued.max.request.bytes"),
    ("group.min.session.timeout.ms", "group.max.session.timeout.ms"),
    ("replica.fetch.wait.max.ms", "replica.socket.timeout.ms"),
    ("watchdog.warn.ms", "zookeeper.session.timeout.ms"),
    ("remote.fetch.range.bytes", "remote.cache.bytes"),
)
"""Pairs of which the first never exceeds the second."""

_PROTOCOLS_TO_COME = frozenset({"SSL", "SASL_SSL", "SASL_PLAINTEXT"})
"""Names of listeners that everybody takes for the protocol that Kafka calls so."""


def broker_contradictions(values: Values, chosen: Collection[str]) -> Iterator[InvalidConfigError]:
    """Find the settings that do not go together.

    Args:
        values: All of them.
        chosen: Names of those that somebody has set.
    """
    for lesser, greater in _AT_MOST:
        yield from _order(values, lesser, greater, chosen)
    yield from _listeners(values)
    yield from _advertised(values)
    yield from _shared_store(values)
    yield from _followed_store(values)
    yield from zookeeper_contradictions(values)
    yield from _storage_classes(values)
    yield from _disk_limits(values)


def topic_default_contradictions(layers: ConfigLayers) -> list[InvalidConfigError]:
    """Find the defaults of topics that do not go together, named as the broker names them.

    Raises:
        InvalidConfigError: A text cannot be read.
    """
    names = {}
    for topic in TOPIC_SETTINGS.values():
        texts = layers.topic_texts(topic)
        said = [each.name for each in texts if each.source is not ConfigSource.DEFAULT]
        if said:
            names[topic.name] = said[0]
    found = contradictions(layers.topic_defaults(), frozenset(names))
    return [
        InvalidConfigError(names.get(each.name, each.name), each.value, each.advice)
        for each in found
    ]


def listen_addresses(value: Value | None) -> tuple[ListenAddress, ...]:
    """Read a list of addresses that has been checked; nothing where there is none."""
    entries = value if isinstance(value, tuple) else ()
    read = [read_listen_address(entry) for entry in entries]
    return tuple(address for address in read if address is not None)


def security_protocols(value: Value | None) -> dict[str, str]:
    """Read a list of ``NAME:PROTOCOL`` that has been checked, in capitals."""
    pairs = (entry.upper().partition(":") for entry in (value if isinstance(value, tuple) else ()))
    return {name: protocol for name, _, protocol in pairs}


def _order(
    values: Values, lesser: str, greater: str, chosen: Collection[str]
) -> Iterator[InvalidConfigError]:
    low, high = values[lesser], values[greater]
    assert isinstance(low, int), f"{lesser} is a number"
    assert isinstance(high, int), f"{greater} is a number"
    if low <= high:
        return
    if lesser in chosen or greater not in chosen:
        yield InvalidConfigError(lesser, str(low), f"{greater} is {high}; lower this or raise that")
    else:
        yield InvalidConfigError(greater, str(high), f"{lesser} is {low}; raise this or lower that")


def _listeners(values: Values) -> Iterator[InvalidConfigError]:
    bound = listen_addresses(values["listeners"])
    protocols = security_protocols(values["listener.security.protocol.map"])
    taken = set()
    for address in bound:
        if address.listener not in protocols:
            yield _unmapped(address)
        if address.port != 0 and (address.host, address.port) in taken:
            advice = "another listener has the same address; give each a port of its own"
            yield _bad_address("listeners", address, advice)
        taken.add((address.host, address.port))
    chosen = values["inter.broker.listener.name"]
    names = [address.listener for address in bound]
    if chosen is not None and str(chosen).upper() not in names:
        advice = f"there is no such listener; write one of {', '.join(names)}"
        yield InvalidConfigError("inter.broker.listener.name", str(chosen), advice)


def _unmapped(address: ListenAddress) -> InvalidConfigError:
    if address.listener in _PROTOCOLS_TO_COME:
        advice = "TLS and SASL are not there yet; listen with PLAINTEXT://, on a private network"
    else:
        advice = "it has no security protocol; add it to listener.security.protocol.map, as "
        advice += f"{address.listener}:PLAINTEXT"
    because = "listener.security.protocol.map"
    return InvalidConfigError("listeners", address.text, advice, because=because)


def _advertised(values: Values) -> Iterator[InvalidConfigError]:
    bound = listen_addresses(values["listeners"])
    given = listen_addresses(values["advertised.listeners"])
    name = "advertised.listeners" if given else "listeners"
    for address in given or bound:
        if address.is_wildcard:
            advice = "nobody can connect to such an address; set advertised.listeners to one that"
            example = f"{address.listener}://host:{address.port}"
            yield _bad_address(name, address, f"{advice} clients reach, as {example}")
    if given and {each.listener for each in given} != {each.listener for each in bound}:
        names = ", ".join(each.listener for each in bound)
        advice = f"write one address for each of the listeners {names}"
        yield InvalidConfigError(name, ",".join(each.text for each in given), advice)


def _bad_address(name: str, address: ListenAddress, advice: str) -> InvalidConfigError:
    return InvalidConfigError(name, address.text, advice)


def _shared_store(values: Values) -> Iterator[InvalidConfigError]:
    clustered = values["zookeeper.connect"] is not None
    if clustered and values["store.url"] is None and values["remote.storage.enable"]:
        advice = (
            "brokers of a cluster share one archive; set it to s3://bucket/prefix, or "
            "set remote.storage.enable=false to go without"
        )
        yield InvalidConfigError("store.url", None, advice, because="zookeeper.connect")


def _followed_store(values: Values) -> Iterator[InvalidConfigError]:
    if values["archive.read.only"] and values["store.url"] is None:
        advice = "give the URL of the store that the other cluster's brokers write to"
        yield InvalidConfigError("store.url", None, advice, because="archive.read.only")
    if values["archive.read.only.cluster"] is not None and not values["archive.read.only"]:
        name = "archive.read.only.cluster"
        advice = "only a read-only broker has a cluster to choose: set archive.read.only, too"
        yield InvalidConfigError(name, str(values[name]), advice, because="archive.read.only")


def _storage_classes(values: Values) -> Iterator[InvalidConfigError]:
    """Refuse classes where the archive is a directory, at the start and not object by object."""
    url = values["store.url"]
    if url is not None and str(url).startswith("s3:"):
        return
    for name in ("remote.storage.class", "remote.storage.class.later"):
        value = values[name]
        if value not in {"", StorageClass.STANDARD.name}:
            advice = "only buckets have storage classes; leave this out, or set store.url to "
            yield InvalidConfigError(name, str(value), f"{advice}s3://bucket/prefix")


def _disk_limits(values: Values) -> Iterator[InvalidConfigError]:
    lower, upper = "log.local.disk.high", "log.local.disk.critical"
    texts = str(values[lower]), str(values[upper])
    high, critical = map(read_disk_limit, texts)
    if high is None or critical is None:
        return  # the upper one is worked out from the lower one
    advice = None
    if (high.percent is None) != (critical.percent is None):
        advice = "write both as shares of the volume, or both as sizes"
    elif (critical.percent or critical.bytes_max or 0) < (high.percent or high.bytes_max or 0):
        advice = "raise this or lower that"
    if advice is not None:
        advice = f"{lower} is {texts[0]}; {advice}"
        yield InvalidConfigError(upper, texts[1], advice, because=lower)
