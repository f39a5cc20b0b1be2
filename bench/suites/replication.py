"""Replication: produce to three brokers, three replicas of each partition, acks=all."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bench.block import Block, Notebook, settle
from bench.client import Clients
from bench.comparison import Comparison, Target
from bench.peers.clusters import BROKERS
from bench.peers.peer import Flush
from bench.suites.produce import BATCHES, Batch
from bench.suites.suite import Suite

_PARTITIONS = 3
_MEMORY = "memory"
_DISK_SHARE_MIN = 0.7 / BROKERS
"""Of what three writers reach together, each of which writes what one replica would."""


@dataclass(frozen=True, slots=True)
class _Bounds:
    """How many times unsynced Kafka it is to be."""

    interval: float
    always: float


_BOUNDS: Mapping[str, _Bounds] = {
    "1MB": _Bounds(interval=2.5, always=2),
    "16KB": _Bounds(interval=4, always=3),
    "single": _Bounds(interval=8, always=6),
}
_CPU_SHARE_MAX = 0.2
_MEMORY_MB_MAX = 200


def _run(block: Block) -> None:
    lengths, partitions = block.lengths, ["-p", str(_PARTITIONS)]
    with block.serving(block.fresh_site()) as (server, _):
        for batch in BATCHES:
            topic = block.topic(server, f"warm-{batch.name}", Flush.INTERVAL, _PARTITIONS)
            warm = ["-d", str(lengths.warm_s), *partitions, *batch.arguments()]
            block.run("produce", server, topic, *warm)
        timing = ["-d", str(lengths.produce_s), "-w", str(lengths.ramp_s)]
        for batch in BATCHES:
            for flush in (Flush.INTERVAL, Flush.ALWAYS):
                case = f"{batch.name}/{flush.value}"
                with block.attempt(case):
                    topic = block.topic(server, case.replace("/", "-"), flush, _PARTITIONS)
                    wanted = [*timing, *partitions, *batch.arguments()]
                    block.measure(case, "produce", server, topic, *wanted)
        block.note(_MEMORY, {"largest_rss_mb": server.largest_rss_mb()})


def _disk(clients: Clients, notebook: Notebook, directory: Path) -> None:
    """Three writers side by side, each with a file and syncs of its own."""
    for batch in BATCHES:
        settle()
        runs = [
            ["-f", str(directory / f"plain-{number}"), "-s", str(batch.stored_bytes), "-d", "2"]
            for number in range(BROKERS)
        ]
        with ThreadPoolExecutor(BROKERS) as threads:
            found = list(threads.map(lambda run: clients.run("disk", *run), runs))
        is_single = batch.name == "single"
        figures = {
            "mb_per_s": sum(each["mb_per_s"] for each in found),
            "records_per_s": sum(each["writes_per_s"] for each in found) if is_single else 0,
        }
        notebook.note(batch.name, figures)


def _rows(batch: Batch) -> list[Comparison]:
    bounds = _BOUNDS[batch.name]

    def row(title: str, ours: Flush, target: Target) -> Comparison:
        return Comparison(
            title=f"three replicas, {batch.title}: {title}",
            metric=batch.metric,
            unit=batch.unit,
            everlog=f"{batch.name}/{ours.value}",
            other=f"{batch.name}/{Flush.INTERVAL.value}",
            target=target,
        )

    synced = Target(
        sense=">=", bound=bounds.always, disk_case=batch.name, disk_share_min=_DISK_SHARE_MIN
    )
    return [
        row("interval / unsynced", Flush.INTERVAL, Target(sense=">=", bound=bounds.interval)),
        row("always / unsynced", Flush.ALWAYS, synced),
    ]


def _cpu(batch: Batch) -> Comparison:
    return Comparison(
        title=f"three replicas, {batch.title}: CPU of all brokers, always / unsynced",
        metric="cpu_s_per_gb",
        unit="CPU s/GB",
        everlog=f"{batch.name}/{Flush.ALWAYS.value}",
        other=f"{batch.name}/{Flush.INTERVAL.value}",
        target=Target(sense="<=", bound=_CPU_SHARE_MAX) if batch.name == "1MB" else None,
    )


REPLICATION = Suite(
    name="replication",
    run=_run,
    baseline=_disk,
    brokers=BROKERS,
    on_request=True,
    comparisons=(
        *(row for batch in BATCHES for row in _rows(batch)),
        *(_cpu(batch) for batch in BATCHES),
        Comparison(
            title="three replicas: memory of the largest broker",
            metric="largest_rss_mb",
            unit="MB",
            everlog=_MEMORY,
            other=_MEMORY,
            target=Target(sense="<=", bound=_MEMORY_MB_MAX, of="value"),
        ),
    ),
)
