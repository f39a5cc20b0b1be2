"""What one peer did in one case of one round."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Metrics = Mapping[str, float]

WHOLE_BLOCK = "*"
"""The case of an error that ended a peer's whole turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The figures of one measurement, or the reason why there are none."""

    round: int
    peer: str
    case: str
    metrics: Metrics = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Samples:
    """All measurements of one suite, by where they belong."""

    all: tuple[Sample, ...]

    def values(self, peer: str, case: str, metric: str) -> dict[int, float]:
        """The figure of each round that has it."""
        return {
            sample.round: sample.metrics[metric]
            for sample in self.all
            if sample.peer == peer and sample.case == case and metric in sample.metrics
        }

    def failed(self, peer: str, case: str) -> bool:
        """Whether any round of this case, or of everything the peer did, has failed."""
        return any(
            sample.error is not None and sample.peer == peer and sample.case in (case, WHOLE_BLOCK)
            for sample in self.all
        )
