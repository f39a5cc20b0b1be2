"""Resident memory with each peer's own defaults: idle, and after a load; roles apart."""

import time

from bench.block import Block
from bench.comparison import Comparison, Target
from bench.peers.peer import Flush
from bench.server import Server
from bench.suites.consume import LOAD
from bench.suites.suite import Suite

_IDLE = "idle"
_LOADED = "loaded"


def _run(block: Block) -> None:
    lengths = block.lengths
    with block.serving(block.fresh_site()) as (server, _):
        time.sleep(lengths.idle_s)
        note_memory(block, _IDLE, server)
        topic = block.topic(server, "memory", Flush.DEFAULT)
        block.run("produce", server, topic, "-n", str(lengths.memory_records), *LOAD)
        note_memory(block, _LOADED, server)


def note_memory(block: Block, case: str, server: Server, **more: float) -> None:
    """Keep what each role of a server holds, as `<role>_rss_mb` and so on."""
    figures = dict(more)
    for role, memory in server.memory().items():
        figures[f"{role}_rss_mb"] = memory.rss_mb
        figures[f"{role}_pss_mb"] = memory.pss_mb
        figures[f"{role}_anonymous_mb"] = memory.anonymous_mb
    block.note(case, figures)


def _rows(title: str, case: str, bound_mb: float) -> tuple[Comparison, ...]:
    return (
        Comparison(
            title=f"memory {title}: broker",
            metric="broker_rss_mb",
            unit="MB",
            everlog=case,
            other=case,
            target=Target(sense="<=", bound=bound_mb, of="value"),
        ),
        *(
            Comparison(
                title=f"memory {title}: {role}",
                metric=f"{role}_rss_mb",
                unit="MB",
                everlog=case,
                other=None,
            )
            for role in ("worker", "gateway")
        ),
    )


MEMORY = Suite(
    name="memory",
    run=_run,
    comparisons=(*_rows("idle", _IDLE, 80), *_rows("after 5 GB produced", _LOADED, 150)),
)
