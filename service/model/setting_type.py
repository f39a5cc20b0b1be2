"""The types a setting can have, and how their values are written: the texts are those of Kafka.

``true``, ``86400000``, ``0.5``, ``compact,delete``. A size or a duration is a plain number, in the
unit that the name of its setting ends with.
"""

import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum

Value = bool | int | float | str | tuple[str, ...]
"""A setting's value, read: a list is a tuple."""

SHORT_MAX = (1 << 15) - 1
INT_MAX = (1 << 31) - 1
LONG_MAX = (1 << 63) - 1

SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


class SettingType(Enum):
    """Types of settings, by Kafka's names for them."""

    BOOLEAN = "boolean"
    STRING = "string"
    INT = "int"
    SHORT = "short"
    LONG = "long"
    DOUBLE = "double"
    LIST = "list"
    CLASS = "class"
    PASSWORD = "password"  # noqa: S105  (the name of the type)

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Least and greatest value of a number; None for what is no number."""
        return _BOUNDS.get(self)

    def read(self, text: str) -> Value | None:
        """Read a text, white space around it ignored; None when it is not of this type."""
        return _READERS[self](text.strip())


def write(value: Value) -> str:
    """Write a value as Kafka prints it; the opposite of `SettingType.read`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(value)
    return _write_double(value) if isinstance(value, float) else str(value)


def in_plain_units(name: str, text: str) -> int | None:
    """Return what somebody meant who wrote ``7d`` or ``64MiB``; None for anything else."""
    written = re.fullmatch(r"\s*([0-9]+)\s*([a-zA-Z]+)\s*", text, re.ASCII)
    units = _UNITS.get(name.rpartition(".")[2], {})
    unit = units.get(written[2].lower()) if written else None
    return None if written is None or unit is None else int(written[1]) * unit


def _read_boolean(text: str) -> Value | None:
    return {"true": True, "false": False}.get(text.lower())


def _read_integer(text: str) -> Value | None:
    # Stricter than int(), which takes underscores, and digits of other scripts.
    return int(text) if re.fullmatch(r"[+-]?[0-9]{1,20}", text, re.ASCII) else None


def _read_double(text: str) -> Value | None:
    number = r"[+-]?([0-9]{1,400}\.?[0-9]{0,400}|\.[0-9]{1,400})([eE][+-]?[0-9]{1,3})?"
    value = float(text) if re.fullmatch(number, text, re.ASCII) else math.inf
    return value if math.isfinite(value) else None


def _read_list(text: str) -> Value | None:
    return tuple(entry.strip() for entry in text.split(",")) if text else ()


def _read_text(text: str) -> Value | None:
    return text


def _write_double(value: float) -> str:
    """Write as Java's ``Double.toString`` does: ``0.5``, but ``1.0E-4`` and ``1.5E7``."""
    plain_from, plain_to = 1e-3, 1e7
    if value == 0 or plain_from <= abs(value) < plain_to:
        return repr(value)
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int), "infinities and NaN are never read"
    fraction = "".join(map(str, digits[1:])) or "0"
    return f"{'-' * sign}{digits[0]}.{fraction}E{exponent + len(digits) - 1}"


_READERS: Mapping[SettingType, Callable[[str], Value | None]] = {
    SettingType.BOOLEAN: _read_boolean,
    SettingType.STRING: _read_text,
    SettingType.INT: _read_integer,
    SettingType.SHORT: _read_integer,
    SettingType.LONG: _read_integer,
    SettingType.DOUBLE: _read_double,
    SettingType.LIST: _read_list,
    SettingType.CLASS: _read_text,
    SettingType.PASSWORD: _read_text,
}

_BOUNDS: Mapping[SettingType, tuple[float, float]] = {
    SettingType.INT: (-INT_MAX - 1, INT_MAX),
    SettingType.SHORT: (-SHORT_MAX - 1, SHORT_MAX),
    SettingType.LONG: (-LONG_MAX - 1, LONG_MAX),
    SettingType.DOUBLE: (-math.inf, math.inf),
}

_DURATIONS = {
    "ms": 1,
    "s": SECOND_MS,
    "m": MINUTE_MS,
    "min": MINUTE_MS,
    "h": HOUR_MS,
    "d": DAY_MS,
    "w": 7 * DAY_MS,
}
_SIZES = {
    prefix + suffix: 1024**power
    for power, prefix in enumerate(("", "k", "m", "g", "t"))
    for suffix in ("", "b", "ib")
    if prefix or suffix == "b"
}
_UNITS: Mapping[str, Mapping[str, int]] = {"ms": _DURATIONS, "bytes": _SIZES}
