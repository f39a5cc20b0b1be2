"""Results as JSON files: everything that was measured, where, with what."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.comparison import EVERLOG, KAFKA
from bench.errors import BenchError
from bench.sample import Sample, Samples

FORMAT = 1
ROUNDS_MIN = 5
"""Rounds below which a median is not shown to readers of the README."""

Facts = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One run of one suite."""

    suite: str
    started: str
    """UTC, as ``20260131T235959Z``: sorts by time."""

    machine: Facts
    versions: Facts
    options: Facts
    load_before: Sequence[float]
    load_after: Sequence[float]
    samples: Samples

    @property
    def publishable(self) -> bool:
        """Whether all that are compared took part, at full length, often enough."""
        peers = {sample.peer for sample in self.samples.all if sample.error is None}
        rounds = {sample.round for sample in self.samples.all}
        full = not self.options.get("quick", False)
        return self._wanted <= peers and len(rounds) >= self._rounds_min and full

    @property
    def _wanted(self) -> set[str]:
        named = self.options.get("peers", (KAFKA, EVERLOG))
        return {str(peer) for peer in named} if isinstance(named, Iterable) else set()

    @property
    def _rounds_min(self) -> int:
        return int(str(self.options.get("rounds_min", ROUNDS_MIN)))


def to_json(result: Result) -> str:
    """Write the document, one sample a line so that it can be read and compared."""
    head = {
        "format": FORMAT,
        "suite": result.suite,
        "started": result.started,
        "machine": dict(result.machine),
        "versions": dict(result.versions),
        "options": dict(result.options),
        "load": {"before": list(result.load_before), "after": list(result.load_after)},
    }
    lines = json.dumps(head, indent=2).removesuffix("\n}")
    samples = ",\n".join("    " + json.dumps(_compact(sample)) for sample in result.samples.all)
    return f'{lines},\n  "samples": [\n{samples}\n  ]\n}}\n'


def from_json(text: str) -> Result:
    """Read what `to_json` wrote.

    Raises:
        BenchError: This is not such a document, or a later format.
    """
    try:
        document = json.loads(text)
        if document["format"] != FORMAT:
            raise BenchError(f"results have format {document['format']}, not {FORMAT}")
        return Result(
            suite=document["suite"],
            started=document["started"],
            machine=document["machine"],
            versions=document["versions"],
            options=document["options"],
            load_before=document["load"]["before"],
            load_after=document["load"]["after"],
            samples=Samples(tuple(Sample(**sample) for sample in document["samples"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BenchError(f"not a result of this benchmark: {error!r}") from error


def save(result: Result, directory: Path) -> Path:
    """Write `<started>-<suite>.json`; return where."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{result.started}-{result.suite}.json"
    path.write_text(to_json(result))
    return path


def load(paths: Iterable[Path]) -> list[Result]:
    """Read result files."""
    return [from_json(path.read_text()) for path in paths]


def newest(results: Iterable[Result]) -> dict[str, Result]:
    """The latest publishable result of each suite."""
    ordered = sorted(results, key=lambda result: result.started)
    return {result.suite: result for result in ordered if result.publishable}


def _compact(sample: Sample) -> dict[str, object]:
    fields = asdict(sample)
    fields["metrics"] = {name: round(value, 6) for name, value in sample.metrics.items()}
    return {name: value for name, value in fields.items() if value is not None}
