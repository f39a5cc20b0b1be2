"""What a topic may be called: Kafka's rules."""

import re
from collections.abc import Iterable

from everlog.model.ids import TopicName
from service.coordination.topic_errors import InvalidTopicNameError

NAME_CHARACTERS_MAX = 249
"""Kafka's limit: with a partition number and a suffix it still fits a file name of 255 bytes."""


class NameCollisionError(InvalidTopicNameError):
    """Another name differs in ``.`` and ``_`` alone."""

    def __init__(self, name: TopicName, other: TopicName) -> None:
        super().__init__(
            f"topic {name!r} differs from {other!r} only in '.' and '_', which metrics cannot tell "
            "apart: choose another name"
        )


_FORBIDDEN = re.compile(r"[^a-zA-Z0-9._-]")


def check_topic_name(name: str) -> None:
    """Refuse a name that no topic can have.

    Raises:
        InvalidTopicNameError: The message says which rule it breaks.
    """
    if not name:
        raise InvalidTopicNameError("a topic name cannot be empty")
    if name in {".", ".."}:
        raise InvalidTopicNameError(f"a topic cannot be called {name!r}")
    if len(name) > NAME_CHARACTERS_MAX:
        raise InvalidTopicNameError(
            f"a topic name of {len(name)} characters is too long: {NAME_CHARACTERS_MAX} are allowed"
        )
    if (found := _FORBIDDEN.search(name)) is not None:
        raise InvalidTopicNameError(
            f"topic name {name!r} holds {found[0]!r}: letters, digits, '.', '_' and '-' are allowed"
        )


def collision_key(name: str) -> str:
    """Return what names share that differ in ``.`` and ``_`` alone, which metrics cannot tell."""
    return name.replace(".", "_")


def collision_keys(names: Iterable[TopicName]) -> dict[str, TopicName]:
    """Return the topics by `collision_key`."""
    return {collision_key(name): name for name in names}
