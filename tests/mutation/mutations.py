"""The table of mutations: which lines hold a rule, and what is there without it."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
TABLE = Path(__file__).with_name("mutations.toml")


@dataclass(frozen=True, slots=True)
class Edit:
    """A text of a file, which is there once, and what takes its place."""

    file: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Mutation:
    """A rule taken out.

    Attributes:
        rule: As tests are marked with it.
        tests: Names of the tests that have to fail, each by itself.
    """

    rule: str
    tests: tuple[str, ...]
    edits: tuple[Edit, ...]

    @property
    def name(self) -> str:
        """What it is called in reports."""
        return f"{self.rule} in {', '.join(sorted({each.file for each in self.edits}))}"


def mutations() -> list[Mutation]:
    """Read the table."""
    rows = tomllib.loads(TABLE.read_text())["mutation"]
    return [
        Mutation(row["rule"], tuple(row["tests"]), tuple(_edit(each) for each in row["edits"]))
        for row in rows
    ]


def mutated(mutation: Mutation, root: Path = ROOT) -> Mapping[Path, str]:
    """Return the new text of each file that a mutation changes.

    Raises:
        ValueError: A text is not there exactly once, so the table is out of date.
    """
    texts: dict[Path, str] = {}
    for edit in mutation.edits:
        path = root / edit.file
        text = texts.get(path) or path.read_text()
        if text.count(edit.before) != 1:
            count = text.count(edit.before)
            raise ValueError(f"{mutation.name}: {count} times in the file: {edit.before!r}")
        texts[path] = text.replace(edit.before, edit.after)
    return texts


def _edit(row: Mapping[str, str]) -> Edit:
    return Edit(row["file"], row["before"], row["after"])
