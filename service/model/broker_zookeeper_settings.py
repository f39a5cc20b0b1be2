"""Settings of a broker that say which ZooKeeper it is at, and how it shows who it is."""

import re
from functools import partial

from service.model.config_definition import Importance, Setting
from service.model.setting_type import SECOND_MS, SettingType, Value

_boolean = partial(Setting, type=SettingType.BOOLEAN)
_string = partial(Setting, type=SettingType.STRING)
_int = partial(Setting, type=SettingType.INT)
_password = partial(Setting, type=SettingType.PASSWORD)


def _zookeeper_hosts(value: Value) -> str | None:
    host = r"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z_.-]+)(:[0-9]{1,5})?"
    if re.fullmatch(rf"{host}(,\s*{host})*(/[^\s,]*)?", str(value), re.ASCII):
        return None
    return "write host:port, several with commas between, and at the end a /path if there is one"


_SESSION = (
    _string(
        name="zookeeper.connect",
        default=None,
        rule=_zookeeper_hosts,
        importance=Importance.HIGH,
        documentation=(
            "Servers of ZooKeeper, as host:port with commas between and a path at the end, which "
            "is created if it is missing. Without it the broker keeps its metadata itself. Either "
            "way it is alone in its cluster yet."
        ),
    ),
    _int(
        name="zookeeper.session.timeout.ms",
        # As long as a broker of Kafka 4 may be silent (broker.session.timeout.ms).
        default=9 * SECOND_MS,
        low=SECOND_MS,
        importance=Importance.HIGH,
        documentation=(
            "How long ZooKeeper may hear nothing from a broker before others take over what it "
            "leads, in milliseconds; ZooKeeper gives from 2 to 20 of its ticks. A broker whose "
            "session has ended ends too (status 75), to be started again."
        ),
    ),
    _int(
        name="zookeeper.connection.timeout.ms",
        default=15 * SECOND_MS,
        low=1,
        documentation="How long a start waits for ZooKeeper, in milliseconds.",
    ),
)

_TLS = (
    _boolean(
        name="zookeeper.ssl.client.enable",
        default=False,
        documentation="Whether to speak TLS with ZooKeeper, on its secureClientPort.",
    ),
    _string(
        name="zookeeper.ssl.truststore.location",
        default=None,
        documentation=(
            "PEM file with the certificates of authorities for ZooKeeper's servers, in place of "
            "those of the system."
        ),
    ),
    _string(
        name="zookeeper.ssl.truststore.type",
        default="PEM",
        choices=("PEM",),
        importance=Importance.LOW,
        documentation="Format of the truststore.",
    ),
    _string(
        name="zookeeper.ssl.keystore.location",
        default=None,
        documentation="PEM file with the broker's own certificate and its key, if ZooKeeper asks.",
    ),
    _string(
        name="zookeeper.ssl.keystore.type",
        default="PEM",
        choices=("PEM",),
        importance=Importance.LOW,
        documentation="Format of the keystore.",
    ),
    _password(
        name="zookeeper.ssl.keystore.password",
        default=None,
        documentation="Password of the key in the keystore, if it has one.",
    ),
    _string(
        name="zookeeper.ssl.endpoint.identification.algorithm",
        default="HTTPS",
        choices=("HTTPS", ""),
        importance=Importance.LOW,
        documentation=(
            "Whether a server's certificate must name the host in zookeeper.connect: HTTPS, or "
            "empty for no."
        ),
    ),
)

_WHO = (
    _string(
        name="zookeeper.sasl.user",
        default=None,
        documentation="User that the broker proves to ZooKeeper to be, by SASL DIGEST-MD5.",
    ),
    _password(
        name="zookeeper.sasl.password",
        default=None,
        documentation="Password of zookeeper.sasl.user.",
    ),
    _string(
        name="zookeeper.digest.user",
        default=None,
        documentation="User for access lists of ZooKeeper's scheme digest, which need no SASL.",
    ),
    _password(
        name="zookeeper.digest.password",
        default=None,
        documentation="Password of zookeeper.digest.user.",
    ),
    _boolean(
        name="zookeeper.set.acl",
        default=False,
        importance=Importance.HIGH,
        documentation=(
            "Whether only the broker's own user may read and write the nodes that it creates; "
            "others see nothing. Nodes that exist stay as they are."
        ),
    ),
)

ZOOKEEPER_SETTINGS = (*_SESSION, *_TLS, *_WHO)
