"""Holds ``docs/failure-modes.md`` and the tests together: what the page claims is there."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROWS = range(1, 57)

_ROW = re.compile(r"\| (\d+) \| (.+?) \| (.+?) \| (.*?) ?\|")
_TEST = re.compile(r"`(test_\w+)`")
_RULE = re.compile(r"TIER-(\d+)")


@cache
def page() -> dict[int, tuple[str, tuple[str, ...]]]:
    """Return the rule and the tests of each row."""
    found = {}
    for line in (ROOT / "docs/failure-modes.md").read_text().splitlines():
        if row := _ROW.fullmatch(line):
            assert int(row[1]) not in found, f"row {row[1]} is there twice"
            found[int(row[1])] = row[3], tuple(_TEST.findall(row[4]))
    return found


def _marks(node: ast.AST) -> Iterator[int]:
    """Yield the rows in the marks of a test, or in those of its module."""
    for each in ast.walk(node):
        is_mark = isinstance(each, ast.Call) and ast.unparse(each.func) == "pytest.mark.rule"
        for argument in each.args if is_mark and isinstance(each, ast.Call) else ():
            if isinstance(argument, ast.Constant) and (rule := _RULE.fullmatch(argument.value)):
                yield int(rule[1])


@cache
def carriers() -> dict[int, set[str]]:
    """Return the names of the tests that carry each row."""
    found: dict[int, set[str]] = defaultdict(set)
    for path in (ROOT / "tests").rglob("*.py"):
        text = path.read_text()
        if "TIER-" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for decorator in node.decorator_list:
                    for row in _marks(decorator):
                        found[row].add(node.name)
    return found


def test_the_page_has_each_row_once() -> None:
    assert sorted(page()) == list(ROWS)


@pytest.mark.parametrize("row", ROWS)
def test_a_row_names_tests_that_carry_its_number_or_says_what_it_waits_for(row: int) -> None:
    rule, tests = page()[row]
    assert tests or rule.startswith("open"), f"row {row} names no test"
    assert not (tests and rule.startswith("open")), f"row {row} is held, and still called open"
    carrying = carriers()[row]
    assert set(tests) <= carrying, f"{set(tests) - carrying} do not carry TIER-{row}"


def test_no_test_carries_a_row_that_is_called_open() -> None:
    called_open = {row for row, (_, tests) in page().items() if not tests}
    assert {row: names for row, names in carriers().items() if names and row in called_open} == {}
