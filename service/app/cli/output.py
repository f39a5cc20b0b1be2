"""What commands print: tables for people, JSON for scripts, and the same facts in both."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import typer

_GAP = "  "


class Output(StrEnum):
    """The forms of what is printed."""

    TABLE = "table"
    JSON = "json"


OutputOption = Annotated[
    Output,
    typer.Option(
        "--output", "-o", metavar="FORM", help="How to print: table, for people, or json."
    ),
]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        is_number: Numbers end at the same place, texts begin there.
    """

    title: str
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts under titles."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]


def plain_table(table: Table) -> str:
    """Lay a table out in plain text, a line for the titles and one for each row."""
    lines = [[column.title for column in table.columns], *table.rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(table.columns))]
    return "\n".join(
        _GAP.join(
            text.rjust(width) if column.is_number else text.ljust(width)
            for text, width, column in zip(line, widths, table.columns, strict=True)
        ).rstrip()
        for line in lines
    )


def show(table: Table) -> None:
    """Print a table: with Rich on a terminal, plainly otherwise."""
    if not sys.stdout.isatty():
        print(plain_table(table))
        return
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    grid = RichTable(box=None, pad_edge=False, padding=(0, len(_GAP), 0, 0), header_style="bold")
    for column in table.columns:
        justify: Any = "right" if column.is_number else "left"
        grid.add_column(column.title, justify=justify, overflow="fold")
    for row in table.rows:
        grid.add_row(*map(Text, row))
    Console().print(grid)


def show_json(facts: Any) -> None:
    """Print facts as JSON."""
    print(json.dumps(facts, indent=2, ensure_ascii=False))
