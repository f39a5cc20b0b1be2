"""Names of objects: what every store, and every file system, takes as it is."""

import re
from typing import NewType

from everlog.model.errors import RejectedError

ObjectKey = NewType("ObjectKey", str)
"""A checked name, such as ``a3f0/seg/00000000000000000000.seg``; made by `object_key`."""

KEY_CHARACTERS_MAX = 1024
"""S3's own limit, prefix of the bucket included."""

NAME_CHARACTERS_MAX = 255
"""One name between slashes becomes a file or folder in some stores (NAME_MAX of Linux)."""

# Some stores refuse ":" (redpanda issue 10560), others need escapes for "+" and space.
_CHARACTERS = re.compile(r"[0-9a-zA-Z/_.=-]*")


def object_key(text: str) -> ObjectKey:
    """Check that a text can name an object in every store.

    Raises:
        RejectedError: It is empty, too long, has a character outside ``[0-9a-zA-Z/_.=-]``, or has
            an empty, ``.`` or ``..`` name between its slashes.
    """
    _check(text, names=text.split("/"))
    return ObjectKey(text)


def key_prefix(text: str) -> str:
    """Check that a text can begin the name of an object; empty begins them all.

    Raises:
        RejectedError: No key begins like this.
    """
    _check(text, names=text.split("/")[:-1])
    return text


def is_object_key(text: str) -> bool:
    """Return whether `object_key` would take the text."""
    return _fault(text, text.split("/")) is None


def _check(text: str, *, names: list[str]) -> None:
    fault = _fault(text, names)
    if fault is not None:
        raise RejectedError(f"{text[:KEY_CHARACTERS_MAX]!r} cannot name an object: {fault}")


def _fault(text: str, names: list[str]) -> str | None:
    if len(text) > KEY_CHARACTERS_MAX:
        return f"it has {len(text)} characters, {KEY_CHARACTERS_MAX} are allowed"
    if not _CHARACTERS.fullmatch(text):
        return "only 0-9 a-z A-Z / _ . = - are allowed"
    for name in names:
        if name in {"", ".", ".."}:
            return f"the name {name!r} between slashes is not allowed"
        if len(name) > NAME_CHARACTERS_MAX:
            return f"a name between slashes has more than {NAME_CHARACTERS_MAX} characters"
    return None
