"""Whether a broker can serve its clients, in words for people and a status for machines."""

from collections.abc import Iterable, Iterator, Sequence

from service.net.admin_http import Answer
from service.partition.archive import PartitionArchive
from service.partition.archive_home import ArchiveHome
from service.partition.disk_pressure import DiskLevel
from service.partition.table import PartitionTable

ARCHIVE_STALL_SECONDS_MAX = 600.0
"""So long uploads of a partition may fail before it counts as degraded."""

METADATA_SILENCE_SECONDS_MAX = 10.0
"""So long nobody may have answered for the metadata before the broker counts as degraded."""

_NAMED_MAX = 10

_CROWDED = {
    DiskLevel.THROTTLE: (
        "the local disk is above log.local.disk.high and nothing is left to release: producers are "
        "slowed (local_disk_level in the log)"
    ),
    DiskLevel.REFUSE: (
        "the local disk is above log.local.disk.critical: producers are refused until there is "
        "room (local_disk_level in the log)"
    ),
}


def readiness(
    *,
    is_ready: bool,
    table: PartitionTable,
    home: ArchiveHome | None,
    archives: Iterable[PartitionArchive],
    disk: DiskLevel,
    now: float,
    damaged: Sequence[str] = (),
    metadata_silent_seconds: float = 0.0,
) -> Answer:
    """Answer ``/readyz``.

    A store or a ZooKeeper that does not answer, a stalled archive, a damaged one, or a full disk
    leaves the answer at 200: what is there is served, and no other broker could upload what is on
    this disk, or read what is damaged.

    Args:
        is_ready: Whether the broker is between its start and its stop.
        table: What it serves.
        home: Whether its store is the archive's; None without a store of its own.
        archives: The cold sides of that.
        disk: What is done about a full disk.
        now: Monotonic seconds.
        damaged: Keys of archived objects that cannot be read.
        metadata_silent_seconds: Since anybody has answered for the metadata.
    """
    if not is_ready:
        return Answer(503, b"not ready: the broker is starting or stopping\n")
    refused = [f"{p.topic}-{p.index}" for p in table.partitions if p.hot.failure is not None]
    if refused:
        text = f"not ready: the disk refused writes of {_some(refused)}\n"
        return Answer(503, text.encode())
    if home is not None and home.is_elsewhere:
        return Answer(503, f"not ready: {home.complaint}\n".encode())
    problems = list(_degradations(table, home, archives, disk, now))
    if damaged:
        problems.append(_damage(damaged))
    if metadata_silent_seconds > METADATA_SILENCE_SECONDS_MAX:
        problems.insert(0, _silence(metadata_silent_seconds))
    text = "".join(["ok\n", *(f"degraded: {each}\n" for each in problems)])
    return Answer(200, text.encode())


def _degradations(
    table: PartitionTable,
    home: ArchiveHome | None,
    archives: Iterable[PartitionArchive],
    disk: DiskLevel,
    now: float,
) -> Iterator[str]:
    """Yield what is not well, though clients are served."""
    if disk in _CROWDED:
        yield _CROWDED[disk]
    if home is not None and home.complaint is not None:
        yield home.complaint
        return
    stalled = [_name(each, table) for each in stalled_archives(archives, now)]
    if stalled:
        minutes = ARCHIVE_STALL_SECONDS_MAX / 60
        yield (
            f"uploads of {_some(stalled)} have failed for more than {minutes:.0f} minutes; the log "
            "says why (archive_stalled, tier_commit_failed)"
        )


def _damage(keys: Sequence[str]) -> str:
    objects = "1 archived object is" if len(keys) == 1 else f"{len(keys):,} archived objects are"
    more = f" and {len(keys) - 1:,} more" if len(keys) > 1 else ""
    return (
        f"{objects} damaged or missing and cannot be read: {keys[0]}{more}; everlog tier verify "
        "lists what is wrong, put it back from a copy (archive_object_unreadable, "
        "archive_object_unsound in the log)"
    )


def _silence(seconds: float) -> str:
    return (
        f"no ZooKeeper has answered for {seconds:.0f} seconds: topics, elections and the archive "
        "wait (zookeeper_connection_lost in the log)"
    )


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
