"""A thousand topics of ten partitions: how long a start takes with them, and how much memory."""

from bench.block import Block, settle
from bench.comparison import Comparison, Target
from bench.peers.peer import Flush
from bench.server import Site
from bench.suites.memory import note_memory
from bench.suites.suite import Suite

CASE = "start"
_PARTITIONS = 10


def _run(block: Block) -> None:
    partitions = {f"topic-{number}": _PARTITIONS for number in range(block.lengths.topics)}

    def fill(site: Site) -> None:
        with block.serving(site) as (server, _):
            block.topics(server, partitions, Flush.DEFAULT)

    site = block.kept_site(fill)
    settle()
    with block.serving(site, partitions) as (server, start_s):
        note_memory(block, CASE, server, start_s=start_s)


TOPICS = Suite(
    name="topics",
    run=_run,
    comparisons=(
        Comparison(
            title="start with 1,000 topics of 10 partitions, all led",
            metric="start_s",
            unit="s",
            everlog=CASE,
            other=CASE,
            target=Target(sense="<=", bound=10, of="value"),
        ),
        Comparison(
            title="memory with 1,000 topics of 10 partitions: broker",
            metric="broker_rss_mb",
            unit="MB",
            everlog=CASE,
            other=CASE,
            target=Target(sense="<=", bound=500, of="value"),
        ),
    ),
)
