"""``everlog tier verify``: whether everything that an archive names is there, and sound."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

import typer

from everlog.format.entries import Totals
from everlog.format.object_keys import PartitionPath
from everlog.model.ids import id_text
from everlog.stores.object_store import ObjectStore
from service.app.cli.archived_topics import (
    ClusterOption,
    TopicOption,
    find_partitions,
    partition_text,
    wanted_topic,
)
from service.app.cli.connection import BOOTSTRAP_DEFAULT, BootstrapOption
from service.app.cli.failure import FAILURE_STATUS
from service.app.cli.output import Column, Output, OutputOption, Table, show, show_json
from service.app.cli.progress import Progress
from service.app.cli.sizes import count_text, plural, size_text
from service.app.cli.store_option import StoreOption, run_on_store
from service.tiering.object_verification import Problem
from service.tiering.verification import PartitionReport, Verifier

PARTITIONS_AT_ONCE = 4
PROBLEMS_SHOWN = 20
"""Of one partition, in a table; JSON has all that are kept."""


def verify(
    *,
    store: StoreOption,
    cluster: ClusterOption = None,
    topic: TopicOption = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every object, and look at each batch.")
    ] = False,
    bootstrap: BootstrapOption = BOOTSTRAP_DEFAULT,
    output: OutputOption = Output.TABLE,
) -> None:
    """See that every object that an archive names is there and whole; needs no broker.

    The newest root of each partition says what there should be. Exits with 1 if anything is wrong.
    """
    topic_id = wanted_topic(topic, bootstrap)

    async def work(opened: ObjectStore) -> list[PartitionReport]:
        paths = await find_partitions(opened, url=store, cluster=cluster, topic_id=topic_id)
        with Progress("reading" if deep else "looking", has_end=True) as progress:
            return await _verify_all(opened, paths, _Gauge(len(paths), progress), deep=deep)

    reports = run_on_store(store, work)
    facts = {"store": store, "deep": deep, **sums_of(reports)}
    if output is Output.JSON:
        show_json({**facts, "partition_list": [facts_of(each) for each in reports]})
    else:
        _print(reports, facts)
    if facts["problems"]:
        raise SystemExit(FAILURE_STATUS)


class _Gauge:
    """How far a verification has come; how much there is shows as roots are read."""

    def __init__(self, partitions: int, progress: Progress) -> None:
        self._partitions = partitions
        self._progress = progress
        self._opened = 0
        self._named_bytes = 0
        self._objects = 0
        self._bytes = 0

    def take_named(self, named: Totals) -> None:
        self._opened += 1
        self._named_bytes += named.bytes

    def take_object(self, size: int) -> None:
        self._objects += 1
        self._bytes += size
        # The partitions that were not opened yet are as large as the others, as far as we know.
        expected = self._named_bytes * max(1.0, self._partitions / max(self._opened, 1))
        facts = plural(self._objects, "object")
        self._progress.draw(facts, done=self._bytes, total=expected, size=self._bytes)


async def _verify_all(
    store: ObjectStore, paths: Sequence[PartitionPath], gauge: _Gauge, *, deep: bool
) -> list[PartitionReport]:
    verifier = Verifier(store, deep=deep, on_named=gauge.take_named, on_object=gauge.take_object)
    reports: dict[PartitionPath, PartitionReport] = {}
    left = iter(paths)

    async def some() -> None:
        for path in left:
            reports[path] = await verifier.partition(path)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(PARTITIONS_AT_ONCE):
            tasks.create_task(some())
    return [reports[path] for path in paths]


def sums_of(reports: Sequence[PartitionReport]) -> dict[str, Any]:
    """Add reports up."""
    return {
        "partitions": len(reports),
        "objects": sum(each.objects for each in reports),
        "records": sum(each.named.records for each in reports),
        "bytes": sum(each.named.bytes for each in reports),
        "problems": sum(each.problem_count for each in reports),
    }


def facts_of(report: PartitionReport) -> dict[str, Any]:
    """Return what was found of a partition."""
    path = report.path
    return {
        "cluster": path.cluster_id,
        "topic_id": id_text(path.topic_id),
        "partition": path.partition,
        "root": None if report.root is None else report.root.text,
        "start": report.offsets.start,
        "end": report.offsets.end,
        "objects": report.objects,
        "objects_named": report.named.entries,
        "records": report.named.records,
        "bytes": report.named.bytes,
        "complete": not report.is_partial,
        "problems": report.problem_count,
        "problem_list": [_problem_facts(each) for each in report.problems],
    }


def _problem_facts(problem: Problem) -> dict[str, Any]:
    return {
        "key": problem.key.text,
        "fault": problem.fault.name.lower(),
        "reason": problem.reason,
        "start": None if problem.offsets is None else problem.offsets.start,
        "end": None if problem.offsets is None else problem.offsets.end,
        "next": problem.fault.value,
    }


def _print(reports: Sequence[PartitionReport], facts: dict[str, Any]) -> None:
    show(_table(reports))
    for report in reports:
        for line in problem_lines(report):
            print(line)
    what = (
        "read and sound"
        if facts["deep"]
        else "there, with the right size, and checksum where one is kept"
    )
    objects = f"{plural(facts['objects'], 'object')}, {size_text(facts['bytes'])}"
    if facts["problems"]:
        print(f"{plural(facts['problems'], 'problem')} in {objects}")
    else:
        print(f"{objects}: all {what}")
        if not facts["deep"]:
            print("Next: --deep reads every object and looks at each batch")


def problem_lines(report: PartitionReport) -> list[str]:
    """Return two lines for each problem, and one for those that are too many to show."""
    lines = []
    for each in report.problems[:PROBLEMS_SHOWN]:
        offsets = "" if each.offsets is None else f" ({_offsets_text(each)})"
        lines.append(f"{each.key.text}{offsets}")
        lines.append(f"    {each.fault.name.lower()}: {each.reason}; {each.fault.value}")
    more = report.problem_count - min(len(report.problems), PROBLEMS_SHOWN)
    if more > 0:
        lines.append(f"    and {more:,} more in {partition_text(report.path)}; -o json has them")
    return lines


def _offsets_text(problem: Problem) -> str:
    assert problem.offsets is not None
    return f"offsets {problem.offsets.start:,} to {problem.offsets.end - 1:,}"


def _table(reports: Sequence[PartitionReport]) -> Table:
    number = partial(Column, is_number=True)
    return Table(
        [
            Column("TOPIC ID"),
            number("PARTITION"),
            number("START", rank=2),
            number("END", rank=3),
            number("OBJECTS"),
            number("SIZE", rank=1),
            number("PROBLEMS"),
        ],
        [
            [
                id_text(each.path.topic_id),
                str(each.path.partition),
                count_text(each.offsets.start),
                count_text(each.offsets.end),
                count_text(each.objects),
                size_text(each.named.bytes),
                count_text(each.problem_count),
            ]
            for each in reports
        ],
    )
