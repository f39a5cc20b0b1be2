"""A value that an option does not take, in our words: the option, the value, what it does take."""

from enum import Enum
from typing import Any

_KINDS: dict[object, str] = {int: "a whole number", float: "a number"}


def explain_option(error: Exception) -> str | None:
    """Return what is wrong and what to write; None where the library's own words have to do.

    Args:
        error: What the library has raised about a parameter, with the reason as its cause.
    """
    option: Any = getattr(error, "param", None)
    # The reason is pydantic's, which is only imported when there is one.
    faults: Any = getattr(error.__cause__, "errors", None)
    descriptor = getattr(option, "type_descriptor", None)
    if faults is None or descriptor is None:
        return None
    allowed = _allowed(option, descriptor.annotation)
    if allowed is None:
        return None
    return f"{option.opts[0]}={faults()[0]['input']}: write {allowed}"


def _allowed(option: Any, kind: object) -> str | None:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return f"one of {', '.join(str(each.value) for each in kind)}"
    words = _KINDS.get(kind)
    low, high = getattr(option, "min", None), getattr(option, "max", None)
    if words is None or (low is None and high is None):
        return words
    if high is None:
        return f"{words}, at least {low}"
    return f"{words}, at most {high}" if low is None else f"{words} from {low} to {high}"
