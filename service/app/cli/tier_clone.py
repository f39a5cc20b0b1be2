"""``everlog tier clone``: a topic that begins with what another one has archived."""

from typing import Annotated, Any

import typer

from service.app.cli.client_library import Admin, Cluster, kafka_admin
from service.app.cli.connection import (
    BOOTSTRAP_DEFAULT,
    BootstrapOption,
    connect_admin,
    kafka_errors,
)
from service.app.cli.marks import Key, Marks, read_marks
from service.app.cli.output import Column, Output, OutputOption, Table, show, show_json
from service.app.cli.progress import Progress
from service.app.cli.sizes import count_text, plural
from service.app.cli.topic_options import (
    check_name,
    create_topic,
    find_topic,
    read_cluster,
    read_pairs,
)


def clone(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The topic to clone.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the new topic.")],
    *,
    config: Annotated[
        list[str] | None,
        typer.Option(
            "--config",
            "-c",
            metavar="NAME=VALUE",
            help="A setting that the clone does not have from its source.",
        ),
    ] = None,
    bootstrap: BootstrapOption = BOOTSTRAP_DEFAULT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Create a topic that begins with everything that another one has archived; nothing is copied.

    It has the source's offsets, partitions and settings, and goes on by itself behind them. What
    the source has not archived yet is not in it.
    """
    check_name(name)
    overrides = {**read_pairs("--config", config), "archive.clone.from": source}
    wanted = kafka_admin().NewTopic(name, -1, -1, config=overrides)
    with kafka_errors(bootstrap):
        admin = connect_admin(bootstrap)
        partitions = len(find_topic(read_cluster(admin), source).partitions)
        with Progress("cloning") as progress:
            progress.draw(plural(partitions, "partition"), done=0, total=partitions)
            create_topic(admin, wanted, advice="give the clone another name")
        rows = _rows(admin, read_cluster(admin), source, name)
    if output is Output.JSON:
        show_json({"topic": name, "source": source, "partition_list": rows})
        return
    show(_table(rows))
    for line in sentences(source, name, rows):
        print(line)


def _rows(admin: Admin, metadata: Cluster, source: str, name: str) -> list[dict[str, Any]]:
    marks = read_marks(admin, metadata, [source, name])
    numbers = sorted(metadata.topics[name].partitions)
    return [clone_facts(number, marks, source=source, name=name) for number in numbers]


def clone_facts(number: int, marks: dict[Key, Marks], *, source: str, name: str) -> dict[str, Any]:
    """Return what one partition of a clone has, and lacks; None where a leader does not tell."""
    made, origin = marks.get((name, number)), marks.get((source, number))
    known = made is not None and origin is not None
    return {
        "partition": number,
        "start": None if made is None else made.start,
        "end": None if made is None else made.end,
        "left_out": max(0, origin.end - made.end) if known and made and origin else None,
    }


def _table(rows: list[dict[str, Any]]) -> Table:
    titles = ("PARTITION", "START", "END", "LEFT OUT")
    return Table(
        [Column(title, is_number=True) for title in titles],
        [
            [
                str(each["partition"]),
                *(_count(each[title]) for title in ("start", "end", "left_out")),
            ]
            for each in rows
        ],
    )


def _count(count: int | None) -> str:
    return "?" if count is None else count_text(count)


def sentences(source: str, name: str, rows: list[dict[str, Any]]) -> list[str]:
    """Say what was made, what is not in it, and what to do about that."""
    counts = [each["end"] - each["start"] for each in rows if each["end"] is not None]
    lines = [f"{name} has the {plural(sum(counts), 'record')} that {source} has archived"]
    if len(counts) < len(rows):
        missing = plural(len(rows) - len(counts), "partition")
        lines.append(
            f"{missing} cannot be read yet: the broker makes the rest as soon as its store "
            f"answers; everlog tier status {name} shows it"
        )
    left = sum(each["left_out"] or 0 for each in rows)
    if left:
        lines.append(
            f"{plural(left, 'record')} of {source} are not in it: they are not archived yet. "
            "remote.copy.lag.max.ms has them archived sooner"
        )
    return lines
