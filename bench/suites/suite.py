"""What a suite is: measurements for each peer, and the rows that they end in."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.block import Block, Notebook
from bench.client import Clients
from bench.comparison import Comparison

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
