"""Which settings of ZooKeeper do not go together."""

from collections.abc import Iterator, Mapping

from service.model.config_definition import InvalidConfigError
from service.model.setting_type import Value

_PAIRS = (
    ("zookeeper.sasl.user", "zookeeper.sasl.password"),
    ("zookeeper.digest.user", "zookeeper.digest.password"),
)
"""Who has one needs the other."""

_OWNERS = ("zookeeper.sasl.user", "zookeeper.digest.user", "zookeeper.ssl.keystore.location")
"""What tells ZooKeeper whose nodes they are."""

_TLS_SWITCH = "zookeeper.ssl.client.enable"

_TLS_FILES = (
    "zookeeper.ssl.truststore.location",
    "zookeeper.ssl.keystore.location",
    "zookeeper.ssl.keystore.password",
)


def zookeeper_contradictions(
    values: Mapping[str, Value | None],
) -> Iterator[InvalidConfigError]:
    """Find the settings that do not go together.

    Args:
        values: All settings of a broker.
    """
    for user, password in _PAIRS:
        if (values[user] is None) != (values[password] is None):
            missing, given = (user, password) if values[user] is None else (password, user)
            yield InvalidConfigError(missing, None, f"{given} needs it; set both", because=given)
    if values["zookeeper.set.acl"] and all(values[name] is None for name in _OWNERS):
        advice = f"nodes must have an owner; set {_OWNERS[0]}, {_OWNERS[1]} or {_OWNERS[2]}"
        yield InvalidConfigError("zookeeper.set.acl", "true", advice)
    if not values[_TLS_SWITCH]:
        for name in _TLS_FILES:
            if values[name] is not None:
                advice = f"TLS is off; set it to true, or leave {name} out"
                yield InvalidConfigError(_TLS_SWITCH, "false", advice, because=name)
                return
