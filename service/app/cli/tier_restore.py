"""``everlog tier restore``: a data directory made from a store alone; no broker is asked."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.app.cli.failure import FAILURE_STATUS, fail, misuse
from service.app.cli.output import Column, Output, OutputOption, Table, show, show_json
from service.app.cli.progress import Progress
from service.app.cli.sizes import count_text, size_text
from service.app.cli.store_option import StoreOption, check_store
from service.app.cli.times import instant_ms

if TYPE_CHECKING:
    from service.app.restoring import RestoreOrder, RestoreReport
    from service.partition.restored_topics import TopicOutcome


def restore(
    *,
    store: StoreOption,
    data_dir: Annotated[
        Path, typer.Option(metavar="DIR", help="What to make; has no metadata yet.")
    ],
    cluster: Annotated[
        str | None, typer.Option(metavar="ID", help="Whose archive, if the store has several.")
    ] = None,
    topics: Annotated[
        list[str] | None,
        typer.Option("--topic", metavar="NAME", help="Only this one; may be repeated."),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="As it was then: 2024-01-01T12:30, or -3h before now."),
    ] = None,
    broker_id: Annotated[
        int, typer.Option(metavar="N", min=0, help="Number of the broker that will have it all.")
    ] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would come.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Make a data directory from the store alone, without copying the data.

    Whoever had the store before can write to it no more.
    """
    from everlog.model.ids import NodeId
    from service.app.restoring import RestoreOrder
    from service.app.system import SystemClock
    from service.partition.restoration import RestoreRequest
    from service.telemetry.logs import configure_logs

    order = RestoreOrder(
        store_url=check_store(store),
        data_dir=str(data_dir.absolute()),
        cluster_id=cluster,
        broker_id=NodeId(broker_id),
        request=RestoreRequest(
            topics=frozenset(topics or ()),
            at_ms=_instant(at, now_ms=SystemClock().wall_ms()),
        ),
        is_trial=dry_run,
    )
    configure_logs(level="warning", form="text")
    report = _restored(order)
    _print(report, order, output)
    has_none = not any(each.restored is not None for each in report.topics)
    if has_none or any(each.problem is not None for each in report.topics):
        raise typer.Exit(FAILURE_STATUS)


def _restored(order: "RestoreOrder") -> "RestoreReport":
    """Restore, and show how far it has come."""
    from everlog.model.errors import EverlogError
    from service.app.restoring import restore_cluster
    from service.partition.restoration import RestoreProgress

    try:
        with Progress("restoring", has_end=True) as bar:

            def draw(progress: RestoreProgress) -> None:
                done, total = progress.done, max(progress.done, progress.partitions)
                facts = f"{done:,} of {total:,} partitions  {size_text(progress.bytes)}"
                bar.draw(facts, done=done, total=total)

            return restore_cluster(order, RestoreProgress(on_change=draw))
    except EverlogError as error:
        fail(str(error), "")


def _instant(text: str | None, *, now_ms: int) -> int | None:
    if text is None:
        return None
    found = instant_ms(text.removeprefix("@"), now_ms=now_ms)
    if found is None:
        advice = "write 2024-01-01, 2024-01-01T12:30:00+02:00, -3h, or milliseconds since 1970"
        misuse(f"--at: {text!r} is no time", advice)
    return found


def _print(report: "RestoreReport", order: "RestoreOrder", output: Output) -> None:
    from service.app.cli.restored_cut import cut_facts, cut_lines, empty_topics

    data_dir, is_trial = order.data_dir, order.is_trial
    facts = [topic_facts(each) for each in report.topics if each.is_tiered]
    if output is Output.JSON:
        whole = {
            "cluster_id": report.cluster_id,
            "store": report.store_url,
            "data_dir": data_dir,
            "dry_run": is_trial,
            "seconds": round(report.seconds, 3),
            "topics": facts,
            "cut": cut_facts(report.cluster),
            "empty_topics": empty_topics(report),
            "notes": list(report.cluster.notes),
        }
        show_json(whole)
        return
    show(_table(facts))
    for each in facts:
        notes = [*each["notes"], *([each["problem"]] if each["problem"] else [])]
        for note in notes:
            print(f"{each['topic']}: {note}")
    for line in cut_lines(report, is_earlier=order.request.at_ms is not None):
        print(line)
    print(summary(facts, report, data_dir, is_trial=is_trial))


def topic_facts(outcome: "TopicOutcome") -> dict[str, Any]:
    """Return what became of one topic."""
    from service.partition.restored_topics import source_text

    pointers = [each.pointer for each in outcome.found if each.pointer is not None]
    return {
        "topic": outcome.name,
        "topic_id": outcome.topic_id.hex(),
        "restored": outcome.restored is not None,
        "partitions": outcome.partitions,
        "objects": sum(each.objects for each in outcome.found),
        "records": sum(each.records for each in outcome.found),
        "bytes": sum(each.bytes for each in pointers),
        "from": source_text(outcome),
        "problem": outcome.problem,
        "notes": list(outcome.notes),
    }


def summary(
    facts: list[dict[str, Any]], report: "RestoreReport", data_dir: str, *, is_trial: bool
) -> str:
    """Say how it ended and what to do next."""
    done = [each for each in facts if each["restored"]]
    if not done:
        return "nothing was restored; everlog tier cuts shows the times that --at can go back to"
    partitions = _counted(sum(each["partitions"] for each in done), "partition")
    size = size_text(sum(each["bytes"] for each in done))
    what = f"{_counted(len(done), 'topic')}, {partitions}, {size} in {report.seconds:.1f} s"
    if is_trial:
        return f"would restore {what}\nNothing changed (dry run). Repeat without --dry-run."
    start = f"everlog dev --data-dir '{data_dir}' --store '{report.store_url}'"
    return f"restored {what}; cluster {report.cluster_id}\nStart it with: {start}"


def _counted(count: int, noun: str) -> str:
    return f"{count_text(count)} {noun}" if count == 1 else f"{count_text(count)} {noun}s"


def _table(facts: list[dict[str, Any]]) -> Table:
    return Table(
        [
            Column("TOPIC"),
            Column("PARTITIONS", is_number=True),
            Column("OBJECTS", is_number=True, rank=1),
            Column("RECORDS", is_number=True, rank=2),
            Column("SIZE", is_number=True),
            Column("FROM"),
        ],
        [
            [
                each["topic"],
                count_text(each["partitions"]),
                count_text(each["objects"]),
                count_text(each["records"]),
                size_text(each["bytes"]),
                each["from"],
            ]
            for each in facts
        ],
    )
