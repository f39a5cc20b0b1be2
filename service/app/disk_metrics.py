"""The local disk on the metrics page: how full it is, and what is done about it."""

from collections.abc import Iterator

from service.partition.disk_pressure import DiskRoom
from service.partition.disk_watch import DiskWatch
from service.telemetry.metrics import Metric, counter, gauge


def disk_metrics(watch: DiskWatch | None) -> Iterator[Metric]:
    """Yield nothing before the first look at the disk."""
    if watch is None:
        return
    usage, limits = watch.usage, watch.limits
    room = DiskRoom.of(limits, usage)
    used = limits.high.used_of(usage)
    yield gauge(
        "everlog_local_disk_used_bytes",
        "Bytes that count: of the volume if limits are shares, of local segments if sizes.",
        used,
    )
    yield gauge(
        "everlog_local_disk_high_bytes",
        "Above so many bytes archived segments are released early (log.local.disk.high).",
        used + room.high,
    )
    yield gauge(
        "everlog_local_disk_critical_bytes",
        "Above so many bytes producers are refused (log.local.disk.critical).",
        used + room.critical,
    )
    yield gauge(
        "everlog_local_disk_level",
        "What is done: 0 nothing, 1 releasing early, 2 slowing producers, 3 refusing them.",
        float(watch.pressure.level),
    )
    yield gauge(
        "everlog_local_disk_seconds_to_full",
        "How long there is room below the critical limit at the rate of the last seconds.",
        watch.seconds_to_critical,
    )
    yield counter(
        "everlog_local_disk_throttled_batches",
        "Batches whose producers were held back.",
        watch.gate.held_back,
    )
    yield counter(
        "everlog_local_disk_throttled_seconds",
        "For how long they were, summed over all.",
        watch.gate.held_back_seconds,
    )
    yield counter(
        "everlog_local_disk_refused_batches",
        "Batches that were refused because the disk is too full.",
        watch.gate.refused,
    )
    yield counter(
        "everlog_local_disk_released_segments",
        "Archived segments that were released before their local retention ended.",
        watch.early.segments,
    )
    yield counter("everlog_local_disk_released_bytes", "Bytes of those.", watch.early.bytes)
