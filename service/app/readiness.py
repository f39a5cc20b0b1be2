"""Whether a broker can serve its clients, in words for people and a status for machines."""

from collections.abc import Iterable

from service.net.admin_http import Answer
from service.partition.archive import PartitionArchive
from service.partition.archive_home import ArchiveHome
from service.partition.table import PartitionTable

ARCHIVE_STALL_SECONDS_MAX = 600.0
"""So long uploads of a partition may fail before it counts as degraded."""

_NAMED_MAX = 10


def readiness(
    *,
    is_ready: bool,
    table: PartitionTable,
    home: ArchiveHome | None,
    archives: Iterable[PartitionArchive],
    now: float,
) -> Answer:
    """Answer ``/readyz``.

    A store that does not answer, or a stalled archive, leaves the answer at 200: clients are
    served, and no other broker could upload what is on this disk.

    Args:
        is_ready: Whether the broker is between its start and its stop.
        table: What it serves.
        home: Whether its store is the archive's; None without a store of its own.
        archives: The cold sides of that.
        now: Monotonic seconds.
    """
    if not is_ready:
        return Answer(503, b"not ready: the broker is starting or stopping\n")
    refused = [f"{p.topic}-{p.index}" for p in table.partitions if p.hot.failure is not None]
    if refused:
        text = f"not ready: the disk refused writes of {_some(refused)}\n"
        return Answer(503, text.encode())
    if home is not None and home.is_elsewhere:
        return Answer(503, f"not ready: {home.complaint}\n".encode())
    if home is not None and home.complaint is not None:
        return Answer(200, f"ok\ndegraded: {home.complaint}\n".encode())
    stalled = [_name(each, table) for each in stalled_archives(archives, now)]
    if stalled:
        minutes = ARCHIVE_STALL_SECONDS_MAX / 60
        text = (
            f"ok\ndegraded: uploads of {_some(stalled)} have failed for more than {minutes:.0f} "
            "minutes; the log says why (archive_stalled, tier_commit_failed)\n"
        )
        return Answer(200, text.encode())
    return Answer(200, b"ok\n")


def stalled_archives(archives: Iterable[PartitionArchive], now: float) -> list[PartitionArchive]:
    """Return the partitions whose uploads have failed for too long."""
    return [
        each
        for each in archives
        if each.stalled_since is not None and now - each.stalled_since > ARCHIVE_STALL_SECONDS_MAX
    ]


def _name(archive: PartitionArchive, table: PartitionTable) -> str:
    partition = archive.hot.partition
    served = table.by_id(partition.topic_id, partition.partition)
    topic = partition.topic_id.hex() if served is None else served.topic
    return f"{topic}-{partition.partition}"


def _some(names: list[str]) -> str:
    """Name the first few, and count the rest."""
    more = len(names) - _NAMED_MAX
    text = ", ".join(names[:_NAMED_MAX])
    return f"{text} and {more} more" if more > 0 else text
