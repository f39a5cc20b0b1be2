"""The resources that have settings, as requests name them."""

from collections import Counter
from collections.abc import Collection, Iterable
from enum import IntEnum

from everlog.model.errors import EverlogError, RejectedError
from everlog.model.ids import NodeId

MESSAGE_CHARACTERS_MAX = 2000
"""A message may quote what a client sent; a string of the protocol holds 32,767 bytes."""


class ConfigRequestError(RejectedError):
    """The request contradicts itself, or asks for something that is not offered."""


class ResourceType(IntEnum):
    """Kinds of resources that are served; the numbers are Kafka's ``ConfigResource.Type``."""

    TOPIC = 2
    BROKER = 4


def resource_type(number: int) -> ResourceType:
    """Return the kind of a resource.

    Raises:
        ConfigRequestError: It is not served.
    """
    try:
        return ResourceType(number)
    except ValueError as error:
        served = ", ".join(f"{kind} ({kind.name.lower()})" for kind in ResourceType)
        advice = f"resources of type {number} have no settings here; ask for {served}"
        raise ConfigRequestError(advice) from error


def named_broker(name: str, own: NodeId) -> NodeId | None:
    """Return the broker that a name stands for: this one, or None for the settings of all.

    Raises:
        ConfigRequestError: It is another broker; each answers for itself alone.
    """
    if not name:
        return None
    if name != str(own):
        advice = (
            f"this is broker {own}, not {name!r}; ask that one, or leave the name empty for all"
        )
        raise ConfigRequestError(advice)
    return own


def altered_broker_of(name: str, own: NodeId, others: Collection[NodeId]) -> NodeId | None:
    """Return the broker whose settings are to change, or None for those of all.

    The request has come by way of any broker to the controller, which stores them for each.

    Raises:
        ConfigRequestError: There is no such broker.
    """
    named = next((each for each in others if name == str(each)), None)
    return named_broker(name, own) if named is None else named


def check_named_once(names: Iterable[str]) -> None:
    """Check that a request says one thing of each setting.

    Raises:
        ConfigRequestError: A setting is named twice.
    """
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ConfigRequestError(
            f"named more than once: {', '.join(twice)}; name each setting once"
        )


def shortened(error: EverlogError) -> str:
    """Return the message of an error, cut to what a response can carry."""
    message = str(error)
    if len(message) <= MESSAGE_CHARACTERS_MAX:
        return message
    return f"{message[: MESSAGE_CHARACTERS_MAX - 3]}..."
