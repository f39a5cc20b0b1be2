"""The cold side on the metrics page."""

from collections.abc import Iterator

from everlog.model.clock import Clock
from service.app.readiness import stalled_archives
from service.app.scrub_wiring import scrub_metrics
from service.app.tier_lag import UploadLag, lag_by_topic
from service.app.tier_wiring import ColdSide
from service.partition.table import PartitionTable
from service.telemetry.metrics import Metric, counter, gauge, gauges

_COUNTERS = {
    "objects": ("tier_objects", "Segment objects that became part of the archive."),
    "object_bytes": ("tier_object_bytes", "Bytes of those."),
    "commits": ("tier_commits", "Manifest roots that became the committed one."),
    "upload_retries": ("tier_upload_retries", "Uploads and commits that had to be repeated."),
    "commit_conflicts": (
        "tier_commit_conflicts",
        "Commits that found the pointer moved, by a lost answer of their own or by another broker.",
    ),
    "fenced": ("tier_fenced", "Times that another broker had claimed a tier."),
    "cache_hits": ("tier_cache_hits", "Cold reads that found their range at hand."),
    "cache_misses": ("tier_cache_misses", "Cold reads that had to send for their range."),
    "prefetched": ("tier_prefetched", "Ranges fetched before anybody asked for them."),
    "prefetch_unread": (
        "tier_prefetch_unread",
        "Ranges fetched ahead that went before anybody came: raise remote.cache.bytes.",
    ),
    "seeks": ("tier_seeks", "Cold reads that began somewhere else than the one before ended."),
    "fetch_waits": (
        "tier_fetch_waits",
        "Ranges that waited for their turn: remote.fetch.parallelism, ....bytes.in.flight.max.",
    ),
    "hedges": ("tier_hedges", "Downloads so slow that a second one was begun."),
    "hedges_won": ("tier_hedges_won", "Second downloads that ended before the first."),
    "range_bytes": ("tier_range_bytes", "Bytes read from the archive for readers."),
    "log_restarts": (
        "tier_log_restarts",
        "Local logs that had lost their end and began again where the archive ends.",
    ),
    "deleted_objects": (
        "tier_deleted_objects",
        "Objects removed: retired ones, orphans, and those of deleted topics.",
    ),
    "refused_deletions": (
        "tier_refused_deletions",
        "Deletions that the store has refused; each is tried again after an hour, or a day.",
    ),
    "merges": ("tier_merges", "Times that small objects of the archive became one."),
    "merged_objects": ("tier_merged_objects", "Small objects that became part of larger ones."),
    "moves": ("tier_moves", "Objects that were moved to another storage class."),
    "moved_bytes": ("tier_moved_bytes", "Bytes of records in those."),
    "merged_bytes": ("tier_merged_bytes", "Bytes of records in those: read once, written once."),
    "orphan_objects": (
        "tier_orphan_objects",
        "Objects removed that had never become part of the archive.",
    ),
    "orphan_bytes": ("tier_orphan_bytes", "Bytes of those."),
}


def tier_metrics(cold: ColdSide | None, table: PartitionTable, clock: Clock) -> Iterator[Metric]:
    """Yield what the cold side has done, and how far it is behind, also while the store is down."""
    if cold is None:
        return
    for attribute, (name, text) in _COUNTERS.items():
        yield counter(f"everlog_{name}", text, getattr(cold.stats, attribute))
    yield from _lag_metrics(lag_by_topic(cold.archiver.archives, table, now_ms=clock.wall_ms()))
    yield from _upload_metrics(cold)
    archives, now = list(cold.archiver.archives), clock.monotonic()
    stalled = [now - each.stalled_since for each in archives if each.stalled_since is not None]
    yield gauge(
        "everlog_tier_stalled_seconds",
        "How long the partition that is worst off has failed to upload.",
        max(stalled, default=0.0),
    )
    yield gauge(
        "everlog_tier_stalled_partitions",
        "Partitions whose uploads have failed for so long that /readyz names them.",
        len(stalled_archives(archives, now)),
    )
    yield gauge(
        "everlog_tier_scan_bytes_per_second_max",
        "What scans of the archive are held to for the sake of producers; 0 while they are not.",
        cold.pace.held_to(now) or 0,
    )
    yield counter(
        "everlog_tier_damaged_reads",
        "Reads of the archive that met an object that is damaged or missing.",
        cold.reading.damage.times,
    )
    yield gauge(
        "everlog_tier_damaged_objects",
        "Archived objects that readers or the scrubber have found damaged or missing, and not sound"
        " since; the log names them.",
        len(cold.damaged),
    )
    yield gauge(
        "everlog_tier_locked_trash_bytes",
        "Bytes that the archive needs no more and that stay until their locks end.",
        sum(each.tiered.tier.locked_trash_bytes for each in archives if each.tiered is not None),
    )
    yield from scrub_metrics(cold.scrubbing)
    restarts = 0 if cold.transfer is None else cold.transfer.worker.restarts
    yield counter("everlog_transfer_worker_restarts", "Unasked ends of the worker.", restarts)


def _lag_metrics(lags: dict[str, UploadLag]) -> Iterator[Metric]:
    yield gauge(
        "everlog_tier_lag_bytes",
        "Bytes that wait for their upload: of sealed segments, and in topics with"
        " remote.copy.lag.max.ms of all that is in the log.",
        sum(each.bytes for each in lags.values()),
    )
    yield gauge(
        "everlog_tier_lag_seconds",
        "Age of what has waited longest for its upload: a sealed segment, or with"
        " remote.copy.lag.max.ms a record.",
        max((each.seconds for each in lags.values()), default=0.0),
    )
    yield gauges(
        "everlog_tier_upload_lag_bytes",
        "Bytes that wait for their upload, of the topics that are furthest behind.",
        "topic",
        {topic: each.bytes for topic, each in lags.items()},
    )
    yield gauges(
        "everlog_tier_upload_lag_seconds",
        "Age of what has waited longest, of the topics that are furthest behind.",
        "topic",
        {topic: each.seconds for topic, each in lags.items()},
    )


def _upload_metrics(cold: ColdSide) -> Iterator[Metric]:
    uploads = cold.uploads
    yield gauge("everlog_tier_uploads", "Objects on their way to the archive.", uploads.uploads)
    yield gauge("everlog_tier_upload_bytes", "Bytes of those.", uploads.bytes)
    yield gauge(
        "everlog_tier_uploads_waiting", "Objects that wait for those to arrive.", uploads.waiting
    )
