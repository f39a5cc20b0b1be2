"""Produce: three batch sizes, flushed by and by or before each acknowledgement, one partition."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.block import Block, Notebook, settle
from bench.client import Clients, settings
from bench.comparison import Comparison, Target
from bench.peers.peer import Flush
from bench.suites.suite import Suite


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """How records are put together."""

    name: str
    title: str
    record_bytes: int
    client: Mapping[str, str]
    stored_bytes: int
    """Of one batch, as a log that writes batches one by one would write it."""

    metric: str
    unit: str
    interval_min: float
    always_min: float
    both_always_min: float | None

    def arguments(self) -> list[str]:
        """For the client."""
        return ["-s", str(self.record_bytes), *settings(self.client)]


BATCHES = (
    Batch(
        name="1MB",
        title="1 MB batches",
        record_bytes=1000,
        client={"linger.ms": "5", "batch.size": "1000000"},
        stored_bytes=1_000_000,
        metric="mb_per_s",
        unit="MB/s",
        interval_min=2,
        always_min=1.5,
        both_always_min=None,
    ),
    Batch(
        name="16KB",
        title="16 KB batches",
        record_bytes=1000,
        # A queue that a slow broker can empty within the client's time to drain.
        client={
            "linger.ms": "5",
            "batch.size": "16384",
            "queue.buffering.max.messages": "20000",
        },
        stored_bytes=16_384,
        metric="mb_per_s",
        unit="MB/s",
        interval_min=2,
        always_min=1.5,
        both_always_min=4,
    ),
    Batch(
        name="single",
        title="one 100-byte record a request",
        record_bytes=100,
        client={
            "linger.ms": "0",
            "batch.num.messages": "1",
            "queue.buffering.max.messages": "5000",
        },
        # A header of 61 bytes, the value, and 9 bytes of the record around it.
        stored_bytes=170,
        metric="records_per_s",
        unit="records/s",
        interval_min=2,
        always_min=2,
        both_always_min=10,
    ),
)
_MEASURED = (Flush.INTERVAL, Flush.ALWAYS)


def _run(block: Block) -> None:
    lengths = block.lengths
    with block.serving(block.fresh_site()) as (server, _):
        for batch in BATCHES:
            topic = block.topic(server, f"warm-{batch.name}", Flush.INTERVAL)
            block.run("produce", server, topic, "-d", str(lengths.warm_s), *batch.arguments())
        timing = ["-d", str(lengths.produce_s), "-w", str(lengths.ramp_s)]
        for batch in BATCHES:
            for flush in _MEASURED:
                case = f"{batch.name}/{flush.value}"
                with block.attempt(case):
                    topic = block.topic(server, case.replace("/", "-"), flush)
                    block.measure(case, "produce", server, topic, *timing, *batch.arguments())


def _disk(clients: Clients, notebook: Notebook, directory: Path) -> None:
    for batch in BATCHES:
        settle()
        size = ["-s", str(batch.stored_bytes), "-d", "2"]
        figures = clients.run("disk", "-f", str(directory / "plain"), *size)
        # One write stands for one batch, so its records are what the row counts.
        figures["records_per_s"] = figures["writes_per_s"] if batch.name == "single" else 0
        notebook.note(batch.name, figures)


def _comparisons(batch: Batch) -> list[Comparison]:
    def row(title: str, ours: Flush, theirs: Flush, at_least: float | None) -> Comparison:
        disk_case = batch.name if ours is Flush.ALWAYS else None
        return Comparison(
            title=f"{batch.title}: {title}",
            metric=batch.metric,
            unit=batch.unit,
            everlog=f"{batch.name}/{ours.value}",
            other=f"{batch.name}/{theirs.value}",
            target=None
            if at_least is None
            else Target(sense=">=", bound=at_least, disk_case=disk_case),
        )

    interval, always = Flush.INTERVAL, Flush.ALWAYS
    return [
        row("interval / unsynced", interval, interval, batch.interval_min),
        row("always / unsynced", always, interval, batch.always_min),
        row("always / flush.messages=1", always, always, batch.both_always_min),
    ]


_CPU = tuple(
    Comparison(
        title=f"CPU to produce, {batch.title}, {flush.value}",
        metric="cpu_s_per_gb",
        unit="CPU s/GB",
        everlog=f"{batch.name}/{flush.value}",
        other=f"{batch.name}/{flush.value}",
    )
    for batch in BATCHES[:2]
    for flush in _MEASURED
)

PRODUCE = Suite(
    name="produce",
    run=_run,
    baseline=_disk,
    comparisons=(*(row for batch in BATCHES for row in _comparisons(batch)), *_CPU),
)
