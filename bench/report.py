"""Results as people read them: the table, and under it where and how it came about."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from bench.comparison import DISK, Comparison, Row, evaluate, spread
from bench.results import Result
from bench.suites import SUITES
from bench.table import ascii_table, figure, markdown_table

_LEGEND = (
    "Ratio: Everlog's figure over the one before it, of the same round, median and extremes over "
    "all rounds; the figures are medians too. Higher is better for throughput, lower for "
    "everything else."
)


def terminal(shown: Sequence[Result]) -> str:
    """Plain text."""
    return "\n".join([*_tables(shown, ascii_table), *_notes(shown)])


def markdown(shown: Sequence[Result]) -> str:
    """For the README."""
    notes = (f"{note}  " for note in _notes(shown))
    return "\n".join([*_tables(shown, markdown_table), *notes])


def _tables(shown: Sequence[Result], write: Callable[[Sequence[Row], str], str]) -> list[str]:
    """One table for each kind of opponent, and an empty line behind each."""
    kinds: dict[str, list[Result]] = {}
    for result in shown:
        kinds.setdefault(SUITES[result.suite].other, []).append(result)
    return [text for other, kind in kinds.items() for text in (write(_rows(kind), other), "")]


def _rows(shown: Sequence[Result]) -> list[Row]:
    return [
        evaluate(_judged(comparison, result), result.samples)
        for result in shown
        for comparison in SUITES[result.suite].comparisons
    ]


def _judged(comparison: Comparison, result: Result) -> Comparison:
    """A quick run takes less than its rows say, so it meets and misses nothing."""
    return replace(comparison, target=None) if result.options.get("quick") else comparison


def _notes(shown: Sequence[Result]) -> list[str]:
    distinct = {_circumstances(result): None for result in shown}
    return [_LEGEND, *(note for result in shown for note in _disk(result)), *distinct]


def _circumstances(result: Result) -> str:
    machine, versions = result.machine, result.versions
    quick = result.options.get("quick")
    programs = ", ".join(
        f"{name} {versions[name]}"
        for name in ("kafka", "everlog", "seaweedfs", "boto3", "librdkafka", "python")
        if name in versions
    )
    length = "quick rounds, shorter than the rows say," if quick else "rounds"
    return (
        f"{result.options['rounds']} {length} on {result.started[:8]}: {programs}; "
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"{machine['file_system']}, {machine['system']} {machine['kernel']}."
    )


def _disk(result: Result) -> list[str]:
    cases = dict.fromkeys(s.case for s in result.samples.all if s.peer == DISK and s.error is None)
    reached = []
    for case in cases:
        writes = spread(list(result.samples.values(DISK, case, "writes_per_s").values()))
        megabytes = spread(list(result.samples.values(DISK, case, "mb_per_s").values()))
        if writes is not None and megabytes is not None:
            reached.append(
                f"{case} {figure(megabytes.median)} MB/s ({figure(writes.median)} a second)"
            )
    return [f"This disk, plain write and fdatasync: {'; '.join(reached)}."] if reached else []
