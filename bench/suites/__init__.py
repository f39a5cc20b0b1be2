"""The parts of the benchmark, in the order in which they run and are shown."""

from bench.suites.consume import CONSUME
from bench.suites.fresh import FRESH
from bench.suites.latency import LATENCY
from bench.suites.memory import MEMORY
from bench.suites.partitions import PARTITIONS
from bench.suites.produce import PRODUCE
from bench.suites.replication import REPLICATION
from bench.suites.start import START
from bench.suites.suite import Suite
from bench.suites.tier import TIER
from bench.suites.tier_memory import TIER_MEMORY
from bench.suites.topics import TOPICS

SUITES: dict[str, Suite] = {
    suite.name: suite
    for suite in (
        PRODUCE,
        FRESH,
        CONSUME,
        LATENCY,
        PARTITIONS,
        START,
        MEMORY,
        TOPICS,
        TIER,
        TIER_MEMORY,
        REPLICATION,
    )
}

__all__ = ["SUITES", "Suite"]
