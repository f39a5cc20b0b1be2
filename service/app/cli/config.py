"""``everlog config``: the settings of brokers and topics, their meaning and where they are from."""

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.app.cli.failure import fail, misuse
from service.app.cli.output import Column, Output, OutputOption, Table, show, show_json

if TYPE_CHECKING:
    from service.app.config_rows import ConfigRow

app = typer.Typer(
    help="Show the settings of brokers and topics.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

_RARE = "low"
_UNSET = "(not set)"


@app.callback()
def _config() -> None:
    """Show the settings of brokers and topics."""


@app.command("list")
def list_settings(
    *,
    topic: Annotated[
        bool, typer.Option("--topic", help="Settings of topics instead of brokers.")
    ] = False,
    all_: Annotated[bool, typer.Option("--all", help="Also those that few people need.")] = False,
    match: Annotated[
        str | None, typer.Option("--match", metavar="TEXT", help="Only names that contain this.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A TOML file, as for a broker.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="As for a broker.")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Print each setting with its meaning, and what `everlog dev` would start with here.

    No broker is asked: one that runs may have been started with other values.
    """
    rows = _rows(topic=topic, file=config, flags=set_ or [])
    named = [row for row in rows if match is None or match in row.name]
    if match is not None and not named:
        fail(f"no setting has {match!r} in its name", "leave out --match to see them all")
    everything = all_ or match is not None or output is Output.JSON
    shown = [row for row in named if everything or row.importance != _RARE or row.where]
    if output is Output.JSON:
        show_json([asdict(row) for row in shown])
        return
    if not topic:
        who = "a broker" if config else "everlog dev"
        print(f"What {who} would start with; no running broker is asked")
    show(_table(shown, is_of_broker=not topic))
    if len(shown) < len(named):
        print(f"{len(named) - len(shown)} more that few people need: --all shows them")


def _rows(*, topic: bool, file: Path | None, flags: list[str]) -> "Sequence[ConfigRow]":
    from service.app.config import ConfigSources, load_config
    from service.app.config_rows import broker_rows, topic_rows
    from service.model.broker_config import InvalidBrokerConfigError

    if topic:
        if file is not None or flags:
            misuse("--config and --set are about brokers", "leave out --topic")
        return topic_rows()
    # As `everlog dev` has them: a configuration without these is not complete.
    needed = {
        "data.dir": "everlog-data",
        "broker.id": "1",
        "listeners": "PLAINTEXT://127.0.0.1:9092",
    }
    try:
        return broker_rows(
            load_config(
                ConfigSources(
                    command={} if file else needed, file=file, environment=os.environ, flags=flags
                )
            )
        )
    except InvalidBrokerConfigError as error:
        misuse(str(error), "")


def _table(rows: "Sequence[ConfigRow]", *, is_of_broker: bool) -> Table:
    columns = [Column("NAME"), Column("TYPE"), Column("DEFAULT")]
    columns += [Column("VALUE")] if is_of_broker else []
    return Table(
        [*columns, Column("MEANING", is_prose=True)],
        [
            [
                row.name,
                row.type,
                _UNSET if row.default is None else row.default,
                *([_value(row)] if is_of_broker else []),
                row.meaning,
            ]
            for row in rows
        ],
    )


def _value(row: "ConfigRow") -> str:
    """Write what holds where it is not the default, and where that is from."""
    if row.where is None:
        return ""
    return f"{'(hidden)' if row.value is None else row.value} ({row.where})"
