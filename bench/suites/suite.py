"""What a suite is: measurements for each peer, and the rows that they end in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.block import Block, Notebook
from bench.client import Clients
from bench.comparison import EVERLOG, KAFKA, Comparison
from bench.results import ROUNDS_MIN

Baseline = Callable[[Clients, Notebook, Path], None]
"""Measures without any server, into a directory on the servers' file system."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """One part of the benchmark."""

    name: str
    run: Callable[[Block], None]
    """One turn of one peer."""

    comparisons: tuple[Comparison, ...]
    baseline: Baseline | None = None
    """Taken once a round, before the peers."""

    peers: tuple[str, ...] = (KAFKA, EVERLOG)
    """Who takes part."""

    rounds: int = ROUNDS_MIN
    """Unless somebody wants another number; results of fewer are not shown."""

    other: str = "Kafka"
    """Heading of the figures that Everlog's are set against."""

    archived: bool = False
    """Whether Kafka is given a second tier."""

    versions: Callable[[], Mapping[str, str]] = dict
    """What it runs besides the peers and their clients."""

    brokers: int = 1
    """Of each peer."""

    on_request: bool = False
    """Whether it is left out unless it is asked for: it takes long."""
