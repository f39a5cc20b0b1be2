"""What a read-only broker tells of the archive that it follows: on the metrics page, by /readyz."""

from collections.abc import Iterator

from service.net.admin_http import Answer
from service.partition.archive_follower import ArchiveFollower
from service.telemetry.metrics import Metric, gauge


def source_metrics(follower: ArchiveFollower | None, now: float) -> Iterator[Metric]:
    """Yield how old is what is known; how far the writer is ahead of it nobody can tell here.

    Args:
        follower: None in a broker that reads no other cluster's archive.
        now: Monotonic seconds.
    """
    if follower is None:
        return
    yield gauge(
        "everlog_source_seen_seconds",
        "Time since the followed archive was last looked at without a failure.",
        _age(follower, now),
    )
    yield gauge("everlog_source_topics", "Followed topics.", len(follower.table.topics))
    yield gauge("everlog_source_partitions", "Partitions of those.", len(follower.table))
    yield gauge(
        "everlog_source_partitions_damaged",
        "Followed partitions of which nothing newer can be read; the log names them.",
        follower.damaged_count,
    )


def with_source(answer: Answer, follower: ArchiveFollower | None, now: float) -> Answer:
    """Add to what ``/readyz`` answers when the followed archive was last seen, and what is wrong.

    Its status stays: what was seen is served, and no other broker would see more.
    """
    if follower is None:
        return answer
    text = f"the archive of cluster {follower.cluster_id} was seen {_age(follower, now):.0f} s ago"
    if follower.problem is not None:
        text = f"degraded: {text}: {follower.problem}"
    if follower.damaged_count:
        text += (
            f"\ndegraded: of {follower.damaged_count} of its partitions nothing newer can be read "
            "(source_damaged in the log says why)"
        )
    return Answer(answer.status, answer.body + f"{text}\n".encode(), answer.content_type)


def _age(follower: ArchiveFollower, now: float) -> float:
    return 0.0 if follower.seen_at is None else now - follower.seen_at
