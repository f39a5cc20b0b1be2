"""Throughput over many partitions: records go to them in turn, one reader takes all."""

from bench.block import Block
from bench.client import settings
from bench.comparison import Comparison
from bench.peers.peer import Flush
from bench.server import Server
from bench.suites.consume import READ_AHEAD
from bench.suites.suite import Suite

COUNTS = (1, 3, 100, 1000)
# A batch is of one partition: with a thousand of them it takes a while to become one. Five requests
# in flight, as with the Java client, so that batches grow while the broker is busy.
_CLIENT = settings({"linger.ms": "50", "batch.size": "1000000", "max.in.flight": "5"})
_TOUCHES = 2
_TOUCH_RECORDS = 20


def _run(block: Block) -> None:
    with block.serving(block.fresh_site()) as (server, _):
        warm = block.topic(server, "warm", Flush.INTERVAL)
        block.run("produce", server, warm, "-d", str(block.lengths.warm_s), *_CLIENT)
        for count in COUNTS:
            with block.attempt(f"{count}/{Flush.INTERVAL.value}"):
                topic, records = _produce(block, server, count, Flush.INTERVAL)
                wanted = ["-n", str(records), "-p", str(count), *READ_AHEAD]
                case = f"{count}/consume"
                with block.attempt(case):
                    block.measure(case, "consume", server, topic, *wanted)
            with block.attempt(f"{count}/{Flush.ALWAYS.value}"):
                _produce(block, server, count, Flush.ALWAYS)


def _produce(block: Block, server: Server, count: int, flush: Flush) -> tuple[str, int]:
    lengths = block.lengths
    case = f"{count}/{flush.value}"
    topic = block.topic(server, case.replace("/", "-"), flush, count)
    spread = ["-p", str(count)]
    # Kafka answers for a topic before it has made its logs, and maps an index file at a partition's
    # second batch, which costs as much as the disk reads ahead: seconds for a thousand partitions.
    touch = ["-n", str(_TOUCH_RECORDS * count), *spread]
    for _ in range(_TOUCHES):
        block.run("produce", server, topic, *touch, *_CLIENT)
    timing = ["-d", str(lengths.produce_s), "-w", str(lengths.ramp_s)]
    made = block.measure(case, "produce", server, topic, *spread, *timing, *_CLIENT)
    return topic, int(made["records"])


def _row(count: int, what: str, ours: str, theirs: str) -> Comparison:
    return Comparison(
        title=f"{count:,} partition{'s' if count > 1 else ''}: {what}",
        metric="mb_per_s",
        unit="MB/s",
        everlog=f"{count}/{ours}",
        other=f"{count}/{theirs}",
    )


_INTERVAL, _ALWAYS = Flush.INTERVAL.value, Flush.ALWAYS.value

PARTITIONS = Suite(
    name="partitions",
    run=_run,
    comparisons=tuple(
        row
        for count in COUNTS
        for row in (
            _row(count, "produce, interval / unsynced", _INTERVAL, _INTERVAL),
            _row(count, "produce, always / unsynced", _ALWAYS, _INTERVAL),
            _row(count, "produce, always / flush.messages=1", _ALWAYS, _ALWAYS),
            _row(count, "consume hot", "consume", "consume"),
        )
    ),
)
