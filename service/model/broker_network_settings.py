"""Settings of a broker that say who it is, how it is reached, and how much it takes on."""

import re
from functools import partial

from service.model.config_definition import Importance, Setting
from service.model.listen_address import PORT_MAX, read_listen_address
from service.model.setting_type import INT_MAX, KIB, MIB, MINUTE_MS, SECOND_MS, SettingType, Value

_string = partial(Setting, type=SettingType.STRING)
_int = partial(Setting, type=SettingType.INT)
_long = partial(Setting, type=SettingType.LONG)
_list = partial(Setting, type=SettingType.LIST)


def _addresses(value: Value) -> str | None:
    assert isinstance(value, tuple), "a list is read as a tuple"
    addresses = [read_listen_address(entry) for entry in value]
    if not value or None in addresses:
        return "write NAME://host:port, several with commas between, an IPv6 host in [brackets]"
    names = [address.listener for address in addresses if address is not None]
    return None if len(set(names)) == len(names) else "give each listener a name of its own"


def _protocols(value: Value) -> str | None:
    assert isinstance(value, tuple), "a list is read as a tuple"
    for entry in value:
        name, _, protocol = entry.partition(":")
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name, re.ASCII) or not protocol:
            return "write NAME:PROTOCOL, several with commas between"
        if protocol.upper() != "PLAINTEXT":
            return f"{protocol} is not offered yet; write {name}:PLAINTEXT, on a private network"
    return None


_IDENTITY = (
    _int(
        name="broker.id",
        default=1,
        low=0,
        importance=Importance.HIGH,
        documentation="Number of this broker, unique in its cluster and never changed.",
    ),
    _string(
        name="broker.rack",
        default=None,
        documentation="Name of the rack or zone that this broker is in, told to clients.",
    ),
    _list(
        name="listeners",
        default=("PLAINTEXT://127.0.0.1:9092",),
        rule=_addresses,
        importance=Importance.HIGH,
        documentation=(
            "Addresses that the broker listens on, as NAME://host:port; without a host, or with "
            "0.0.0.0, on all of the machine's; port 0 takes a free one."
        ),
    ),
    _list(
        name="advertised.listeners",
        default=None,
        rule=_addresses,
        importance=Importance.HIGH,
        documentation=(
            "Addresses that clients and other brokers are told to connect to, one for each "
            "listener; those of listeners unless given."
        ),
    ),
    _list(
        name="listener.security.protocol.map",
        default=("PLAINTEXT:PLAINTEXT",),
        rule=_protocols,
        documentation=(
            "Security protocol of each listener, as NAME:PROTOCOL. Only PLAINTEXT exists yet."
        ),
    ),
    _string(
        name="inter.broker.listener.name",
        default=None,
        documentation=(
            "Listener that brokers reach each other by; the first of listeners unless given."
        ),
    ),
    _string(
        name="admin.host",
        default="127.0.0.1",
        documentation="Address that /metrics, /livez and /readyz are served on.",
    ),
    _int(
        name="admin.port",
        default=0,
        low=0,
        high=PORT_MAX,
        documentation=(
            "Port of /metrics, /livez and /readyz; 0 takes a free one, named in the ready event of "
            "the log."
        ),
    ),
)

_REQUESTS = (
    _int(
        name="socket.request.max.bytes",
        default=100 * MIB,
        low=KIB,
        documentation=(
            "Largest request that is taken, in bytes; a connection that announces more is closed."
        ),
    ),
    _int(
        name="socket.request.timeout.ms",
        default=30 * SECOND_MS,
        low=1,
        documentation=(
            "Longest time between the first byte of a request and its last, in milliseconds; a "
            "slower connection is closed."
        ),
    ),
    _long(
        name="queued.max.request.bytes",
        default=256 * MIB,
        low=KIB,
        aliases=("inflight.bytes.max",),
        documentation=(
            "Bytes of requests that may be worked on at a time, over all connections; beyond that "
            "no socket is read."
        ),
    ),
    _long(
        name="connections.max.idle.ms",
        default=10 * MINUTE_MS,
        low=1,
        documentation="Time after which a silent connection is closed, in milliseconds.",
    ),
    _int(
        name="max.connections",
        default=10_000,
        low=1,
        documentation="Connections that a broker holds at most; further ones are closed at once.",
    ),
    _int(
        name="max.connections.per.ip",
        default=INT_MAX,
        low=1,
        documentation="Connections that one address may hold at most.",
    ),
    _int(
        name="fetch.max.bytes",
        default=55 * MIB,
        low=KIB,
        documentation=(
            "Bytes that one fetch is answered with at most, however much the client asks for; a "
            "first larger batch is sent all the same."
        ),
    ),
    _int(
        name="max.incremental.fetch.session.cache.slots",
        default=1000,
        low=0,
        documentation=(
            "Incremental fetch sessions that are remembered; the oldest give way to new ones."
        ),
    ),
)

NETWORK_SETTINGS = (*_IDENTITY, *_REQUESTS)
