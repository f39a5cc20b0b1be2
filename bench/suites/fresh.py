"""Produce right after the start: 1 MB batches to a server that has served nobody before.

A JVM runs its first gigabytes uncompiled; `produce` measures it warm.
"""

from bench.block import Block
from bench.comparison import Comparison, Target
from bench.peers.peer import Flush
from bench.suites.produce import BATCHES
from bench.suites.suite import Suite

_LARGE = BATCHES[0]


def _run(block: Block) -> None:
    lengths = block.lengths
    timing = ["-d", str(lengths.produce_s), "-w", str(lengths.ramp_s)]
    for flush in (Flush.INTERVAL, Flush.ALWAYS):
        case = flush.value
        with block.attempt(case), block.serving(block.fresh_site(case)) as (server, _):
            topic = block.topic(server, case, flush)
            block.measure(case, "produce", server, topic, *timing, *_LARGE.arguments())


def _row(ours: Flush, at_least: float) -> Comparison:
    return Comparison(
        title=f"1 MB batches, right after the start: {ours.value} / unsynced",
        metric=_LARGE.metric,
        unit=_LARGE.unit,
        everlog=ours.value,
        other=Flush.INTERVAL.value,
        target=Target(sense=">=", bound=at_least),
    )


FRESH = Suite(
    name="fresh",
    run=_run,
    comparisons=(
        _row(Flush.INTERVAL, _LARGE.interval_min),
        _row(Flush.ALWAYS, _LARGE.always_min),
    ),
)
