"""Rows as text: for a terminal, and as Markdown for the README."""

from collections.abc import Sequence

from bench.comparison import Row, Spread

_NUMBERS = range(2, 6)
"""Columns that are flush right."""


def headings(other: str) -> tuple[str, ...]:
    """Name the columns; ``other`` is what Everlog's figures are set against."""
    return ("case", "unit", other, "Everlog", "ratio", "min..max", "target", "verdict")


def figure(value: float) -> str:
    """Write with about three digits that matter, without an exponent."""
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    if size >= 0.1 or value == 0:
        return f"{value:.2f}"
    return f"{value:.4f}" if size >= 0.001 else f"{value:.6f}"


def cells(row: Row) -> tuple[str, ...]:
    """One text for each heading; what was not measured is a dash."""
    ratio = row.ratio
    return (
        row.title,
        row.unit,
        _median(row.other),
        _median(row.everlog),
        "-" if ratio is None else f"{ratio.median:.2f}x",
        "-" if ratio is None else f"{ratio.low:.2f}..{ratio.high:.2f}",
        "" if row.target is None else row.target.text,
        _verdict(row),
    )


def ascii_table(rows: Sequence[Row], other: str) -> str:
    """Columns of plain text, as wide as they must be."""
    lines = [headings(other), *(cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    ruled = [lines[0], tuple("-" * width for width in widths), *lines[1:]]
    return "\n".join(
        "  ".join(
            text.rjust(width) if column in _NUMBERS else text.ljust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in ruled
    )


def markdown_table(rows: Sequence[Row], other: str) -> str:
    """The same as a table of GitHub's Markdown."""
    head = headings(other)
    rule = tuple("---:" if column in _NUMBERS else "---" for column in range(len(head)))
    lines = [head, rule, *(cells(row) for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _median(spread: Spread | None) -> str:
    return "-" if spread is None else figure(spread.median)


def _verdict(row: Row) -> str:
    if row.disk_share is None:
        return row.verdict
    return f"{row.verdict} ({row.disk_share:.2f} of disk)".strip()
