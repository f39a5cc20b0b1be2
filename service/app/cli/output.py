"""What commands print: tables for people, JSON for scripts, and the same facts in both."""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from shutil import get_terminal_size
from textwrap import wrap
from typing import Annotated, Any

import typer

_GAP = "  "
_INDENT = "    "
_PROSE_WIDTH_MIN = 40
_BOLD, _NORMAL = "\x1b[1m", "\x1b[0m"


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
        rank: Which columns are left out first on a narrow terminal, from 1; 0 always stays.
        is_prose: A last column of sentences; on a narrow terminal they stand below their row.
    """

    title: str
    is_number: bool = False
    rank: int = 0
    is_prose: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts under titles."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]

    def without(self, place: int) -> "Table":
        """Return it without one column."""
        columns, *rows = [
            [*line[:place], *line[place + 1 :]] for line in (self.columns, *self.rows)
        ]
        return Table(columns, rows)  # type: ignore[arg-type]


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


def fitted_table(table: Table, width: int) -> str:
    """Lay a table out within a width as far as that goes; a cell is never broken.

    Columns that can be spared are left out, and named below. What is still too wide runs on.
    """
    spared: list[str] = []
    while _width(table) > width:
        place = _dispensable(table)
        if place is None:
            break
        spared.append(table.columns[place].title)
        table = table.without(place)
    if table.columns[-1].is_prose and _width(table) > width:
        return _with_prose_below(table, width)
    text = plain_table(table)
    return f"{text}\n(no room for {', '.join(spared)})" if spared else text


def show(table: Table) -> None:
    """Print a table: as wide as the terminal, with titles set apart, or all of it elsewhere."""
    if not sys.stdout.isatty():
        print(plain_table(table))
        return
    titles, newline, rest = fitted_table(table, get_terminal_size().columns).partition("\n")
    if not os.environ.get("NO_COLOR"):
        titles = f"{_BOLD}{titles}{_NORMAL}"
    print(titles + newline + rest)


def _width(table: Table) -> int:
    return max(map(len, plain_table(table).splitlines()))


def _dispensable(table: Table) -> int | None:
    """Return the place of the column that is to go first; None if all stay."""
    ranked = [(each.rank, place) for place, each in enumerate(table.columns) if each.rank]
    return min(ranked)[1] if ranked else None


def _with_prose_below(table: Table, width: int) -> str:
    last = len(table.columns) - 1
    titles, *lines = plain_table(table.without(last)).splitlines()
    text = [titles]
    for line, row in zip(lines, table.rows, strict=True):
        below = wrap(row[last], max(width - len(_INDENT), _PROSE_WIDTH_MIN))
        text += [line, *(_INDENT + each for each in below)]
    return "\n".join(text)


def show_json(facts: Any) -> None:
    """Print facts as JSON."""
    print(json.dumps(facts, indent=2, ensure_ascii=False))
