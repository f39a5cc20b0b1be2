"""What the lines of a network do to bytes, by who sends them to whom."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """How bytes travel in one direction.

    Attributes:
        is_cut: They do not, and nobody is told: they arrive when the line is whole again.
        delay_seconds: That each piece takes.
        jitter_seconds: That it may take beyond that.
        bytes_per_second: That get through; None for all.
    """

    is_cut: bool = False
    delay_seconds: float = 0.0
    jitter_seconds: float = 0.0
    bytes_per_second: int | None = None


FAIR = Weather()
CUT = Weather(is_cut=True)
SLOW = Weather(delay_seconds=0.2, jitter_seconds=0.1)
DRIP = Weather(bytes_per_second=64 << 10)

Matches = Callable[[str, str], bool]


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A weather for all lines that it matches, by sender and receiver."""

    matches: Matches
    weather: Weather


def between(some: set[str], others: set[str]) -> Matches:
    """Match the lines from one side to the other, both ways."""
    return lambda sender, receiver: (
        (sender in some and receiver in others) or (sender in others and receiver in some)
    )


def to_and_from(some: set[str]) -> Matches:
    """Match the lines between these and everybody else."""
    return lambda sender, receiver: (sender in some) != (receiver in some)


def one_way(senders: set[str], receivers: set[str]) -> Matches:
    """Match what some send to others, and not what comes back."""
    return lambda sender, receiver: sender in senders and receiver in receivers
