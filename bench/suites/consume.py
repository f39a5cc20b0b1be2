"""Consume hot: one consumer reads one partition that is in the page cache, from its beginning."""

from bench.block import Block
from bench.client import settings
from bench.comparison import Comparison, Target
from bench.peers.peer import Flush
from bench.suites.suite import Suite

CASE = "hot"
READ_AHEAD = settings({"queued.max.messages.kbytes": "1000000"})
"""A client that has stopped fetching because its own queue is full measures nothing."""

_LOAD = settings({"linger.ms": "5", "batch.size": "1000000"})


def _run(block: Block) -> None:
    records = str(block.lengths.consume_records)
    with block.serving(block.fresh_site()) as (server, _):
        topic = block.topic(server, "consume", Flush.INTERVAL)
        block.run("produce", server, topic, "-n", records, *_LOAD)
        block.run("consume", server, topic, "-n", records, *READ_AHEAD)
        block.measure(CASE, "consume", server, topic, "-n", records, *READ_AHEAD)


CONSUME = Suite(
    name="consume",
    run=_run,
    comparisons=(
        Comparison(
            title="consume hot",
            metric="mb_per_s",
            unit="MB/s",
            everlog=CASE,
            kafka=CASE,
            target=Target(sense=">=", bound=0.95),
        ),
        Comparison(
            title="CPU to consume hot",
            metric="cpu_s_per_gb",
            unit="CPU s/GB",
            everlog=CASE,
            kafka=CASE,
        ),
    ),
)
