"""Rows become text that lines up."""

import pytest

from bench.comparison import Row, Spread, Target
from bench.table import ascii_table, cells, figure, headings, markdown_table

FULL = Row(
    title="1 MB batches",
    unit="MB/s",
    other=Spread(200.0, 180.0, 220.0, 5),
    everlog=Spread(500.0, 400.0, 600.0, 5),
    ratio=Spread(2.5, 2.2, 2.7, 5),
    target=Target(sense=">=", bound=1.5, disk_case="1MB"),
    disk_share=0.91,
    verdict="met",
)
EMPTY = Row(
    title="16 KB batches, always",
    unit="MB/s",
    other=None,
    everlog=None,
    ratio=None,
    target=None,
    disk_share=None,
    verdict="",
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (15683.4, "15,683"),
        (100.0, "100"),
        (42.25, "42.2"),
        (2.5, "2.50"),
        (0.125, "0.12"),
        (0.0123, "0.0123"),
        (0.000123, "0.000123"),
        (0.0, "0.00"),
    ],
)
def test_a_figure_has_the_digits_that_matter(value: float, text: str) -> None:
    assert figure(value) == text


def test_a_row_says_everything_that_was_found() -> None:
    assert cells(FULL) == (
        "1 MB batches",
        "MB/s",
        "200",
        "500",
        "2.50x",
        "2.20..2.70",
        ">= 1.5x",
        "met (0.91 of disk)",
    )


def test_what_was_not_measured_is_a_dash() -> None:
    assert cells(EMPTY) == ("16 KB batches, always", "MB/s", "-", "-", "-", "-", "", "")


def test_a_bound_on_a_value_is_not_written_as_a_ratio() -> None:
    assert Target(sense="<=", bound=80, of="value").text == "<= 80"


def test_plain_columns_line_up() -> None:
    heading, rule, *rows = ascii_table([FULL, EMPTY], "Kafka").splitlines()
    assert len(rows) == 2
    for name in ("unit", "target", "verdict"):
        at = heading.index(name)
        assert rule[at] == "-"
        assert rule[at - 1] == " "
    assert rows[0].index("MB/s") == heading.index("unit")
    assert rows[0].index("200") + 3 == heading.index("Kafka") + 5


def test_markdown_has_one_cell_for_each_heading() -> None:
    lines = markdown_table([FULL, EMPTY], "Kafka").splitlines()
    assert len(lines) == 4
    assert {line.count("|") for line in lines} == {len(headings("Kafka")) + 1}
    assert lines[1].split(" | ")[2] == "---:"
