"""``everlog tier status``: where the archive of each partition ends and the disk begins."""

from typing import Annotated, Any

import typer

from service.app.cli.connection import (
    BOOTSTRAP_DEFAULT,
    BootstrapOption,
    connect_admin,
    kafka_errors,
)
from service.app.cli.output import Column, Output, OutputOption, Table, show, show_json
from service.app.cli.scrub_facts import (
    MetricsOption,
    damage_text,
    read_metrics,
    samples_of,
    scrub_text,
)
from service.app.cli.sizes import count_text
from service.app.cli.tier_facts import read_facts
from service.app.cli.times import instant_text
from service.app.cli.topic_options import read_cluster


def status(
    topics: Annotated[
        list[str] | None, typer.Argument(metavar="TOPIC", help="All, unless some are named.")
    ] = None,
    *,
    metrics: MetricsOption = None,
    bootstrap: BootstrapOption = BOOTSTRAP_DEFAULT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show for each partition where the archive ends and the local disk begins."""
    with kafka_errors(bootstrap):
        admin = connect_admin(bootstrap)
        metadata = read_cluster(admin)
        facts = read_facts(admin, metadata, topics)
        if output is Output.JSON:
            show_json(facts)
            return
        page = read_metrics(admin, metadata, url=metrics) or ""
    if not facts:
        print("no topics yet; create one with: everlog topic create NAME --partitions 3")
        return
    show(_table(facts))
    if held := sorted({each["topic"] for each in facts if each["held"]}):
        print(f"On hold, nothing archived is removed: {', '.join(held)}")
    if locked := sorted({each["topic"] for each in facts if each["locked"]}):
        print(f"New objects are locked (see tier explain): {', '.join(locked)}")
    if damage := damage_text(page):
        print(f"Damage: {damage}")
    if scrub := samples_of(page):
        print(f"Scrub: {scrub_text(scrub)}")


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
