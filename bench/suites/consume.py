"""Consume: one consumer reads one partition from its beginning, in turn local and archived.

Kafka has no archive of its own, so what is cold here stands beside what is hot there.
"""

from bench.block import Block
from bench.client import settings
from bench.comparison import Comparison, Target
from bench.peers.peer import Flush
from bench.suites.suite import Suite

_HOT = "hot"
_COLD = "cold"
_COLD_SHARE = 0.9
"""The end of a log is in its active segment, which is always local."""

READ_AHEAD = settings({"queued.max.messages.kbytes": "1000000"})
"""A client that has stopped fetching because its own queue is full measures nothing."""

LOAD = settings({"linger.ms": "5", "batch.size": "1000000"})
"""Batches of 1 MB."""


def _run(block: Block) -> None:
    records = str(block.lengths.consume_records)
    with block.serving(block.fresh_site()) as (server, _):
        topic = block.topic(server, "consume", Flush.INTERVAL)
        block.run("produce", server, topic, "-n", records, *LOAD)
        block.run("consume", server, topic, "-n", records, *READ_AHEAD)
        block.measure(_HOT, "consume", server, topic, "-n", records, *READ_AHEAD)
        if not block.has_archive:
            return
        with block.attempt(_COLD):
            topic = block.cold_topic(server, "archived")
            block.run("produce", server, topic, "-n", records, *LOAD)
            block.wait_cold(server, topic, int(block.lengths.consume_records * _COLD_SHARE))
            block.measure(_COLD, "consume", server, topic, "-n", records, *READ_AHEAD)


def _rows(title: str, ours: str, target: Target | None) -> tuple[Comparison, Comparison]:
    return (
        Comparison(
            title=title, metric="mb_per_s", unit="MB/s", everlog=ours, other=_HOT, target=target
        ),
        Comparison(
            title=f"CPU to {title}",
            metric="cpu_s_per_gb",
            unit="CPU s/GB",
            everlog=ours,
            other=_HOT,
        ),
    )


CONSUME = Suite(
    name="consume",
    run=_run,
    comparisons=(
        *_rows("consume hot", _HOT, Target(sense=">=", bound=0.95)),
        *_rows("consume from objects / hot", _COLD, None),
    ),
)
