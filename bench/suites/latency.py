"""Latency from producer to consumer at 1,000 records a second, one partition."""

from bench.block import Block
from bench.client import settings
from bench.comparison import Comparison, Target
from bench.peers.peer import Flush
from bench.suites.suite import Suite

RECORDS_PER_S = 1000
_WITHOUT_LINGER = settings({"linger.ms": "0"})
_WARM = settings(
    {"linger.ms": "0", "batch.num.messages": "1", "queue.buffering.max.messages": "5000"}
)
_PERCENTILES = (("p50", "p50_ms"), ("p99", "p99_ms"), ("p99.9", "p999_ms"))


def _run(block: Block) -> None:
    lengths = block.lengths
    rate = ["-r", str(RECORDS_PER_S), *_WITHOUT_LINGER]
    with block.serving(block.fresh_site()) as (server, _):
        # A thousand records a second alone would not get a JVM to compile within the warm-up.
        topic = block.topic(server, "warm", Flush.INTERVAL)
        block.run("produce", server, topic, "-d", str(lengths.warm_s), *_WARM)
        for flush in (Flush.INTERVAL, Flush.ALWAYS):
            case = flush.value
            with block.attempt(case):
                warm = block.topic(server, f"warm-{case}", flush)
                block.run("latency", server, warm, "-d", str(lengths.warm_s), "-w", "0", *rate)
                topic = block.topic(server, case, flush)
                timing = ["-d", str(lengths.latency_s), "-w", str(lengths.ramp_s)]
                block.measure(case, "latency", server, topic, *timing, *rate)


def _row(percentile: int, ours: Flush, theirs: Flush, target: Target | None) -> Comparison:
    name, metric = _PERCENTILES[percentile]
    opponent = "unsynced" if theirs is Flush.INTERVAL else "flush.messages=1"
    return Comparison(
        title=f"end to end {name}: {ours.value} / {opponent}",
        metric=metric,
        unit="ms",
        everlog=ours.value,
        other=theirs.value,
        target=target,
    )


_HALF = Target(sense="<=", bound=0.5)
_TWICE = Target(sense="<=", bound=2)

LATENCY = Suite(
    name="latency",
    run=_run,
    comparisons=(
        _row(0, Flush.INTERVAL, Flush.INTERVAL, None),
        _row(1, Flush.INTERVAL, Flush.INTERVAL, _HALF),
        _row(2, Flush.INTERVAL, Flush.INTERVAL, None),
        _row(0, Flush.ALWAYS, Flush.INTERVAL, _TWICE),
        _row(0, Flush.ALWAYS, Flush.ALWAYS, None),
        _row(1, Flush.ALWAYS, Flush.ALWAYS, _HALF),
        _row(2, Flush.ALWAYS, Flush.ALWAYS, None),
    ),
)
