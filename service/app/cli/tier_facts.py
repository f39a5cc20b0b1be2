"""Facts about the tiers of partitions, as brokers tell them, and their sums."""

from typing import Any

from service.app.cli.client_library import Admin, Cluster
from service.app.cli.marks import Key, Marks, read_marks
from service.app.cli.topic_options import find_topic, is_held, is_locked, is_tiered, read_settings
from service.model.cluster import INTERNAL_TOPICS


def read_facts(admin: Admin, metadata: Cluster, topics: list[str] | None) -> list[dict[str, Any]]:
    """Ask about all partitions of some topics, or of all; end if one does not exist."""
    for name in topics or []:
        find_topic(metadata, name)
    names = topics or [n for n in metadata.topics if n not in INTERNAL_TOPICS]
    marks = read_marks(admin, metadata, names)
    settings = read_settings(admin, names)
    return [
        facts_of(
            key,
            each,
            tiered=is_tiered(settings[key[0]]),
            held=is_held(settings[key[0]]),
            locked=is_locked(settings[key[0]]),
        )
        for key, each in sorted(marks.items())
    ]


def facts_of(
    key: Key, marks: Marks, *, tiered: bool, held: bool = False, locked: bool = False
) -> dict[str, Any]:
    """Return what is known of one partition.

    Args:
        key: Which one.
        marks: Its ends.
        tiered: Whether its topic is; what is not has nothing to upload.
        held: Whether nothing of its archive may be removed.
        locked: Whether its new objects are locked.
    """
    local = None if marks.local_start is None else marks.end - marks.local_start
    return {
        "topic": key[0],
        "partition": key[1],
        "tiered": tiered,
        "held": held,
        "locked": locked,
        "start": marks.start,
        "local_start": marks.local_start,
        "archived_end": marks.archived_end,
        "end": marks.end,
        "records": marks.records,
        "local_records": local,
        "archived_records": marks.archived,
        "upload_lag": marks.upload_lag if tiered else None,
        "oldest_ms": marks.oldest_ms,
    }


def sums_of(partitions: list[dict[str, Any]]) -> dict[str, Any]:
    """Add partitions up; what one of them does not know is not known of all."""

    def total(name: str) -> int | None:
        values = [each[name] for each in partitions]
        return None if None in values else sum(values)

    oldest = [each["oldest_ms"] for each in partitions if each["oldest_ms"] is not None]
    return {
        "partitions": len(partitions),
        "tiered": all(each["tiered"] for each in partitions),
        "held": any(each["held"] for each in partitions),
        "records": total("records"),
        "local_records": total("local_records"),
        "archived_records": total("archived_records"),
        "upload_lag": total("upload_lag"),
        "oldest_ms": min(oldest, default=None),
    }
