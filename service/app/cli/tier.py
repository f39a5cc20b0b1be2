"""``everlog tier``: what is on local disks and what is in the archive, as far as brokers tell."""

from typing import Annotated, Any

import typer

from service.app.cli.connection import (
    BOOTSTRAP_DEFAULT,
    BootstrapOption,
    connect_admin,
    kafka_errors,
)
from service.app.cli.marks import Key, Marks, read_marks
from service.app.cli.output import Column, Output, OutputOption, Table, show, show_json
from service.app.cli.plain_command import PlainCommand
from service.app.cli.sizes import count_text
from service.app.cli.times import instant_text
from service.app.cli.topic_options import (
    find_topic,
    is_tiered,
    read_cluster,
    read_settings,
)
from service.model.cluster import INTERNAL_TOPICS

app = typer.Typer(
    help="Show what is local and what is in the archive.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

_PERCENT = 100


@app.command(cls=PlainCommand)
def status(
    topics: Annotated[
        list[str] | None, typer.Argument(metavar="TOPIC", help="All, unless some are named.")
    ] = None,
    *,
    bootstrap: BootstrapOption = BOOTSTRAP_DEFAULT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show for each partition where the archive ends and the local disk begins."""
    facts = _facts(bootstrap, topics)
    if output is Output.JSON:
        show_json(facts)
    elif not facts:
        print("no topics yet; create one with: everlog topic create NAME --partitions 3")
    else:
        show(_table(facts))


@app.command(cls=PlainCommand)
def explain(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="What to explain.")],
    *,
    bootstrap: BootstrapOption = BOOTSTRAP_DEFAULT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Say in sentences where the records of a topic are, and what that means."""
    facts = {"topic": topic, **sums_of(_facts(bootstrap, [topic]))}
    if output is Output.JSON:
        show_json(facts)
        return
    for title, text in sentences(facts):
        print(f"{title:<7} {text}")


def _facts(bootstrap: str, topics: list[str] | None) -> list[dict[str, Any]]:
    with kafka_errors(bootstrap):
        admin = connect_admin(bootstrap)
        metadata = read_cluster(admin)
        for name in topics or []:
            find_topic(metadata, name)
        names = topics or [n for n in metadata.topics if n not in INTERNAL_TOPICS]
        marks = read_marks(admin, metadata, names)
        settings = read_settings(admin, names)
    return [
        facts_of(key, each, tiered=is_tiered(settings[key[0]]))
        for key, each in sorted(marks.items())
    ]


def facts_of(key: Key, marks: Marks, *, tiered: bool) -> dict[str, Any]:
    """Return what is known of one partition.

    Args:
        key: Which one.
        marks: Its ends.
        tiered: Whether its topic is; what is not has nothing to upload.
    """
    local = None if marks.local_start is None else marks.end - marks.local_start
    return {
        "topic": key[0],
        "partition": key[1],
        "tiered": tiered,
        "start": marks.start,
        "local_start": marks.local_start,
        "archived_end": marks.archived_end,
        "end": marks.end,
        "records": marks.records,
        "local_records": local,
        "archived_records": marks.archived,
        "upload_lag": marks.upload_lag if tiered else None,
        "oldest_ms": marks.oldest_ms,
    }


def sums_of(partitions: list[dict[str, Any]]) -> dict[str, Any]:
    """Add partitions up; what one of them does not know is not known of all."""

    def total(name: str) -> int | None:
        values = [each[name] for each in partitions]
        return None if None in values else sum(values)

    oldest = [each["oldest_ms"] for each in partitions if each["oldest_ms"] is not None]
    return {
        "partitions": len(partitions),
        "tiered": all(each["tiered"] for each in partitions),
        "records": total("records"),
        "local_records": total("local_records"),
        "archived_records": total("archived_records"),
        "upload_lag": total("upload_lag"),
        "oldest_ms": min(oldest, default=None),
    }


def sentences(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Return (title, text) for each thing that is known."""
    records, local = facts["records"], facts["local_records"]
    archived, lag = facts["archived_records"], facts["upload_lag"]
    if archived is None or local is None:
        return [("Where", "not known: the brokers of this topic do not tell where its records are")]
    if not facts["tiered"] and not archived:
        stay = "not tiered: the records of this topic stay on local disks"
        return [("Where", f"local {count_text(local)} records"), ("Lag", stay), *_oldest(facts)]
    share = f" ({_PERCENT * archived // records}%)" if records else ""
    where = (
        f"local {count_text(local)} records - "
        f"archive {count_text(archived)} of {count_text(records)}{share}"
    )
    waiting = "nothing waits" if not lag else f"{count_text(lag)} records are not archived yet"
    if not facts["tiered"]:
        waiting = "not tiered any more: what is new stays on local disks"
    lines = [("Where", where), ("Lag", waiting), *_oldest(facts)]
    cold = records - local
    if cold > 0:
        lines.append(("Read", f"a scan of everything reads {count_text(cold)} from the archive"))
    else:
        lines.append(("Read", "a scan of everything is local"))
    return lines


def _oldest(facts: dict[str, Any]) -> list[tuple[str, str]]:
    if facts["oldest_ms"] is None:
        return []
    return [("Oldest", f"{instant_text(facts['oldest_ms'])} UTC")]


def _lag_text(facts: dict[str, Any]) -> str:
    return count_text(facts["upload_lag"]) if facts["tiered"] else "not tiered"


def _table(facts: list[dict[str, Any]]) -> Table:
    numbers = (
        ("START", "start", 2),
        ("LOCAL FROM", "local_start", 0),
        ("ARCHIVED TO", "archived_end", 0),
        ("HIGH WATERMARK", "end", 3),
    )
    return Table(
        [
            Column("TOPIC"),
            Column("PARTITION", is_number=True),
            *(Column(title, is_number=True, rank=rank) for title, _, rank in numbers),
            Column("UPLOAD LAG", is_number=True),
            Column("OLDEST", rank=1),
        ],
        [
            [
                each["topic"],
                str(each["partition"]),
                *(count_text(each[name]) for _, name, _ in numbers),
                _lag_text(each),
                instant_text(each["oldest_ms"]),
            ]
            for each in facts
        ],
    )
