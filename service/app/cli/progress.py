"""A live line on stderr for work that takes a while; silent where nobody is looking."""

import sys
from types import TracebackType
from typing import Any, Self

from service.app.cli.sizes import size_text

REDRAWS_PER_SECOND = 5


class Progress:
    """A line that is drawn anew as the work goes on.

    Args:
        what: What is being done, such as ``producing``.
        records_total: Where it ends; None if nobody knows.
        is_silent: Whether to show nothing even on a terminal, for the records are shown there.
        has_end: Whether `draw` will tell how much there is.
    """

    def __init__(
        self,
        what: str,
        *,
        records_total: int | None = None,
        is_silent: bool = False,
        has_end: bool = False,
    ) -> None:
        self._is_silent = is_silent
        self._what = what
        self._total = records_total
        self._has_bar = has_end or records_total is not None
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        if self._is_silent or not sys.stderr.isatty():
            return self
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns: list[Any] = [TextColumn("{task.description}"), TextColumn("{task.fields[facts]}")]
        if self._has_bar:
            columns += [BarColumn(bar_width=30), TimeRemainingColumn()]
        self._bar = Bar(
            *columns,
            TimeElapsedColumn(),
            console=Console(stderr=True),
            refresh_per_second=REDRAWS_PER_SECOND,
            transient=True,
        )
        self._bar.start()
        self._task = self._bar.add_task(self._what, total=self._total, facts="")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, records: int, size: int) -> None:
        """Draw how many records there are by now, and how many bytes."""
        if self._bar is None:
            return
        elapsed = self._bar.tasks[0].elapsed or 1.0
        rates = f"{records / elapsed:,.0f}/s  {size_text(size / elapsed)}/s"
        facts = f"{records:,} records  {size_text(size)}  {rates}"
        self._bar.update(self._task, completed=records, facts=facts)

    def draw(self, facts: str, *, done: float, total: float, size: int | None = None) -> None:
        """Draw facts, and a bar of how much is done of what there is, as far as that is known.

        Args:
            facts: What to say.
            done: How much is done, in any unit.
            total: How much there is, in the same one.
            size: How many bytes that is, to show a rate.
        """
        if self._bar is None:
            return
        if size is not None:
            elapsed = self._bar.tasks[0].elapsed or 1.0
            facts = f"{facts}  {size_text(size)}  {size_text(size / elapsed)}/s"
        self._bar.update(self._task, completed=done, total=total, facts=facts)
