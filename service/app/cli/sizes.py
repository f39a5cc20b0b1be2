"""Numbers as people read them."""

_STEP = 1024
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_ONE_DIGIT_MAX = 100


def size_text(size: float) -> str:
    """Write a number of bytes: ``512 B``, ``1.1 GiB``, ``212 MiB``."""
    for unit in _UNITS:
        if size < _STEP or unit == _UNITS[-1]:
            break
        size /= _STEP
    else:
        raise AssertionError("unreachable: the last unit takes all")
    if unit == "B" or size >= _ONE_DIGIT_MAX:
        return f"{size:.0f} {unit}"
    return f"{size:.1f} {unit}"


def count_text(count: int | None) -> str:
    """Write a count with its thousands apart; ``-`` for one that is not known."""
    return "-" if count is None else f"{count:,}"


def plural(count: int, noun: str) -> str:
    """Write a count and what is counted: ``1 record``, ``1,204 records``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
