"""What a run has shown, for people."""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tests.cluster.brokers import Death
from tests.cluster.schedule import Nemesis
from tests.history.anomalies import Anomaly

ANOMALIES_SHOWN, ANOMALIES_LISTED = 20, 200


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultLine:
    """One fault that befell the cluster.

    Attributes:
        what: It was.
        begun: By the clock of the history.
        acknowledged: Records that were acknowledged while it lasted.
    """

    nemesis: Nemesis
    what: str
    begun: float
    acknowledged: int


@dataclass(kw_only=True)
class Report:
    """Everything that is told of a run.

    Attributes:
        counts: What the clients did.
        gaps: For each fault the longest time without an acknowledgement, until the next one began.
        problems: What went wrong otherwise: clients that failed, brokers that ended, no healing.
        heal_seconds: From the last start to the moment when no replica was behind.
    """

    seed: int
    seconds: float
    counts: Mapping[str, int]
    faults: list[FaultLine] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    anomalies: list[Anomaly] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    deaths: list[Death] = field(default_factory=list)
    starts: int = 0
    leader_changes: int = 0
    segments: int = 0
    store_faults: int = 0
    broken_lines: int = 0
    heal_seconds: float = 0.0
    bucket: str = ""

    @property
    def is_good(self) -> bool:
        return not self.anomalies and not self.problems

    @property
    def tier_share(self) -> float:
        """Return how much of what was read came from the store."""
        return self.counts["read from the store"] / max(1, self.counts["read"])

    def measure_gaps(self, acknowledged_at: Sequence[float]) -> None:
        """Find the longest silence after the beginning of each fault."""
        times = sorted(acknowledged_at)
        starts = [fault.begun for fault in self.faults]
        ends = [*starts[1:], times[-1] if times else 0.0][: len(starts)]
        self.gaps = [_longest_gap(times, *window) for window in zip(starts, ends, strict=True)]

    def __str__(self) -> str:
        """Say it in a few lines."""
        lines = [
            f"seed {self.seed}: {len(self.faults)} faults in {self.seconds:.0f} s",
            f"{self.counts['acknowledged']:,} records acknowledged",
            f"{self.counts['read']:,} read, {self.tier_share:.0%} from the store",
            f"{self.leader_changes} leader changes, {self.segments} objects",
            f"in sync {self.heal_seconds:.1f} s after the last start",
        ]
        lines = ["; ".join(lines), *self.problems]
        lines += map(str, self.anomalies[:ANOMALIES_SHOWN])
        if len(self.anomalies) > ANOMALIES_SHOWN:
            kinds = Counter(each.kind.value for each in self.anomalies)
            lines.append(f"all anomalies: {dict(kinds)}")
        return "\n".join(lines)

    def markdown(self) -> str:
        """Say it all, as a page."""
        counted = ", ".join(f"{what} {number:,}" for what, number in sorted(self.counts.items()))
        ended = Counter(each.status for each in self.deaths)
        told = [*self.problems, *self.anomalies[:ANOMALIES_LISTED]]
        found = [f"- {each}" for each in told] or ["- none"]
        kinds = Counter(each.kind.value for each in self.anomalies)
        came = Counter(kind for fault in self.faults for kind in fault.nemesis.kinds)
        return "\n".join(
            [
                f"# A fault run of {self.seconds:.0f} s, seed {self.seed}",
                "",
                "| what | figure |",
                "| --- | --- |",
                f"| faults | {len(self.faults)} |",
                f"| of which | {', '.join(f'{n} {kind}' for kind, n in came.most_common())} |",
                f"| records acknowledged | {self.counts['acknowledged']:,} |",
                f"| records read | {self.counts['read']:,} |",
                f"| of these from the store | {self.tier_share:.1%} |",
                f"| leader changes | {self.leader_changes} |",
                f"| starts of brokers | {self.starts} |",
                f"| of these after they had ended by themselves | {dict(ended)} |",
                f"| objects of the archive | {self.segments} ({self.bucket}) |",
                f"| faults of the store | {self.store_faults} |",
                f"| connections broken in a frame | {self.broken_lines} |",
                f"| seconds to all in sync after the last start | {self.heal_seconds:.1f} |",
                "",
                f"Clients: {counted}.",
                "",
                f"## Found: {dict(kinds) or 'nothing'}",
                *found,
                "",
                "## Faults, and the longest time without any acknowledgement",
                *self._by_kind(),
                "",
            ]
        )

    def _by_kind(self) -> list[str]:
        gaps: defaultdict[str, list[float]] = defaultdict(list)
        for fault, gap in zip(self.faults, self.gaps, strict=True):
            gaps[f"{fault.nemesis.number} {fault.nemesis.name}"].append(gap)
        rows = ["| fault | times | median gap, s | longest, s |", "| --- | --- | --- | --- |"]
        for name, some in sorted(gaps.items()):
            some.sort()
            rows.append(f"| {name} | {len(some)} | {some[len(some) // 2]:.1f} | {some[-1]:.1f} |")
        return rows


def _longest_gap(times: Sequence[float], start: float, end: float) -> float:
    inside = times[bisect_left(times, start) : bisect_right(times, end)]
    edges = [start, *inside, max(start, end)]
    return max(after - before for before, after in pairwise(edges))
