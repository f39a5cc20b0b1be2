"""Rows of the table: which figures are set against each other, and what they are to reach.

Ratios are Everlog's figure over another of the same round, Kafka's as a rule; rounds are a minute
apart and share the machine's mood, so the median of ratios holds where medians of absolute figures
move.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from bench.sample import Samples

KAFKA = "kafka"
EVERLOG = "everlog"
DISK = "disk"
"""The peer that is no broker: plain write and fdatasync."""

Verdict = Literal["met", "missed", "failed", ""]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A bound on the ratio, or on Everlog's own figure."""

    sense: Literal[">=", "<="]
    bound: float
    of: Literal["ratio", "value"] = "ratio"
    disk_case: str | None = None
    """Where the disk is the limit: `disk_share_min` of this case's figure will do instead."""

    disk_share_min: float = 0.8

    def holds(self, figure: float) -> bool:
        """Whether the figure, a ratio or a value as `of` says, is within the bound."""
        return figure >= self.bound if self.sense == ">=" else figure <= self.bound

    @property
    def text(self) -> str:
        """As the table shows it."""
        return f"{self.sense} {self.bound:g}" + ("x" if self.of == "ratio" else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One row to be: a metric of one of Everlog's cases, and of another case."""

    title: str
    metric: str
    unit: str
    everlog: str | None
    other: str | None
    target: Target | None = None
    whose: str = KAFKA
    """The peer in whose turn the other case was measured."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A median and what it is the median of."""

    median: float
    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table."""

    title: str
    unit: str
    other: Spread | None
    everlog: Spread | None
    ratio: Spread | None
    target: Target | None
    disk_share: float | None
    verdict: Verdict


def spread(values: Sequence[float]) -> Spread | None:
    """Summarize; None if there is nothing to summarize."""
    if not values:
        return None
    return Spread(median(values), min(values), max(values), len(values))


def evaluate(comparison: Comparison, samples: Samples) -> Row:
    """Set a comparison's samples against each other, round by round."""
    ours = _values(samples, EVERLOG, comparison.everlog, comparison.metric)
    theirs = _values(samples, comparison.whose, comparison.other, comparison.metric)
    shared = [turn for turn in sorted(ours.keys() & theirs.keys()) if theirs[turn] > 0]
    everlog = spread(list(ours.values()))
    ratio = spread([ours[turn] / theirs[turn] for turn in shared])
    disk_share = _disk_share(comparison, samples, everlog)
    failed = _failed(samples, EVERLOG, comparison.everlog) or _failed(
        samples, comparison.whose, comparison.other
    )
    return Row(
        title=comparison.title,
        unit=comparison.unit,
        other=spread(list(theirs.values())),
        everlog=everlog,
        ratio=ratio,
        target=comparison.target,
        disk_share=disk_share,
        verdict="failed" if failed else _verdict(comparison.target, ratio, everlog, disk_share),
    )


def _values(samples: Samples, peer: str, case: str | None, metric: str) -> dict[int, float]:
    return {} if case is None else samples.values(peer, case, metric)


def _failed(samples: Samples, peer: str, case: str | None) -> bool:
    return case is not None and samples.failed(peer, case)


def _disk_share(comparison: Comparison, samples: Samples, everlog: Spread | None) -> float | None:
    target = comparison.target
    if target is None or target.disk_case is None or everlog is None:
        return None
    disk = spread(list(samples.values(DISK, target.disk_case, comparison.metric).values()))
    return None if disk is None or disk.median <= 0 else everlog.median / disk.median


def _verdict(
    target: Target | None, ratio: Spread | None, everlog: Spread | None, disk_share: float | None
) -> Verdict:
    figure = ratio if target is not None and target.of == "ratio" else everlog
    if target is None or figure is None:
        return ""
    at_the_disk = disk_share is not None and disk_share >= target.disk_share_min
    return "met" if target.holds(figure.median) or at_the_disk else "missed"
