"""Holds ``docs/reliability.md`` and the tests together: what the page names is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROMISES = range(1, 17)
NOT_OFFERED = {15}

_PAGE = (ROOT / "docs/reliability.md").read_text()
_ROWS = {int(row[1]): row[2] for row in re.finditer(r"^\| P(\d+) \| (.*) \|$", _PAGE, re.MULTILINE)}


@pytest.mark.parametrize("number", PROMISES)
def test_a_promise_names_the_tests_that_back_it(number: int) -> None:
    assert number in NOT_OFFERED or re.search(r"`tests/\S+\.py`", _ROWS[number])


@pytest.mark.parametrize("name", sorted({*re.findall(r"`(tests/\S+\.py)`", _PAGE)}))
def test_a_test_that_the_page_names_is_there(name: str) -> None:
    assert (ROOT / name).is_file()


@pytest.mark.parametrize("name", sorted({*re.findall(r"\]\((\S+\.md)\)", _PAGE)}))
def test_a_page_that_it_points_to_is_there(name: str) -> None:
    assert (ROOT / "docs" / name).is_file()
