"""From the start of the process to the first answer that names a broker."""

from bench.block import Block, settle
from bench.comparison import Comparison, Target
from bench.suites.suite import Suite

_FIRST = "first"
_AGAIN = "again"
_SOON = Target(sense="<=", bound=0.8, of="value")


def _run(block: Block) -> None:
    site = block.fresh_site()
    for case in (_FIRST, _AGAIN):
        settle()
        with block.serving(site) as (_, start_s):
            block.note(case, {"start_s": start_s})


def _row(title: str, case: str) -> Comparison:
    return Comparison(
        title=f"start to first metadata answer, {title}",
        metric="start_s",
        unit="s",
        everlog=case,
        other=case,
        target=_SOON,
    )


START = Suite(
    name="start",
    run=_run,
    comparisons=(_row("empty directory", _FIRST), _row("stopped before", _AGAIN)),
)
