"""The files of a data directory as a whole: at a start, and when logs go. All of this blocks."""

from collections.abc import Collection, Iterable
from contextlib import suppress
from itertools import chain, count

from everlog.model.ids import PartitionId
from service.hot.layout import (
    CLEAN_SHUTDOWN,
    DELETED_SUFFIX,
    LOGS_DIR,
    STRAY_SUFFIX,
    partition_dir,
    topic_dir,
    topic_id_of,
)
from service.hot.segment import Segment
from service.model.disk import Disk


def take_clean_marker(disk: Disk, data_dir: str) -> bool:
    """Remove the marker of a clean stop, durably; return whether there was one (REL-Y5)."""
    disk.make_dirs(f"{data_dir}/{LOGS_DIR}")
    try:
        disk.unlink(f"{data_dir}/{CLEAN_SHUTDOWN}")
        was_clean = True
    except FileNotFoundError:
        was_clean = False
    disk.sync_dir(data_dir)
    return was_clean


def tidy_logs(disk: Disk, data_dir: str, known: Collection[PartitionId]) -> None:
    """Finish deletions; rename directories of unknown partitions, never delete them (REL-Y9)."""
    root = f"{data_dir}/{LOGS_DIR}"
    known_paths = {partition_dir(data_dir, partition) for partition in known}
    for name, _ in disk.list_dir(root):
        _tidy_topic(disk, f"{root}/{name.rstrip('/')}", known_paths)


def has_log(disk: Disk, data_dir: str, partition: PartitionId) -> bool:
    """Whether there is a directory for the log of a partition."""
    topic, _, name = partition_dir(data_dir, partition).rpartition("/")
    with suppress(FileNotFoundError):
        return any(entry.rstrip("/") == name for entry, _ in disk.list_dir(topic))
    return False


def _tidy_topic(disk: Disk, path: str, known_paths: Collection[str]) -> None:
    name = path.rpartition("/")[2]
    if topic_id_of(name) is None:
        return
    for entry, _ in disk.list_dir(path):
        child = f"{path}/{entry.rstrip('/')}"
        if child.endswith(DELETED_SUFFIX):
            disk.remove_tree(child)
        elif child not in known_paths and not child.endswith(STRAY_SUFFIX):
            disk.rename(child, _stray_path(disk, path, child))
            disk.sync_dir(path)
    disk.remove_empty_dir(path)


def stray_logs(disk: Disk, data_dir: str) -> list[PartitionId]:
    """Return the partitions of which a start has found a log that nobody claimed."""
    root = f"{data_dir}/{LOGS_DIR}"
    found: set[PartitionId] = set()
    for name, _ in disk.list_dir(root):
        topic = name.rstrip("/")
        topic_id = topic_id_of(topic)
        if topic_id is None:
            continue
        # The last log of a topic may go at this moment, and the directory with it.
        with suppress(FileNotFoundError):
            children = (child.rstrip("/") for child, _ in disk.list_dir(f"{root}/{topic}"))
            numbers = (each.partition(".")[0] for each in children if each.endswith(STRAY_SUFFIX))
            found.update(PartitionId(topic_id, int(each)) for each in numbers if each.isdecimal())
    return sorted(found, key=lambda each: (each.topic_id, each.partition))


def remove_strays(disk: Disk, data_dir: str, partition: PartitionId) -> None:
    """Remove what `tidy_logs` has put aside of a partition; what is left is found again."""
    topic = topic_dir(data_dir, partition.topic_id)
    with suppress(FileNotFoundError):
        for name, _ in disk.list_dir(topic):
            entry = name.rstrip("/")
            is_stray = entry.endswith(STRAY_SUFFIX)
            if is_stray and entry.partition(".")[0] == str(partition.partition):
                disk.remove_tree(f"{topic}/{entry}")
        disk.remove_empty_dir(topic)


def _stray_path(disk: Disk, topic: str, child: str) -> str:
    """Return where to put a log aside: another one of the partition may be there already."""
    taken = {f"{topic}/{entry.rstrip('/')}" for entry, _ in disk.list_dir(topic)}
    names = (f"{child}.{number}{STRAY_SUFFIX}" for number in count(1))
    return next(each for each in chain([child + STRAY_SUFFIX], names) if each not in taken)


def remove_segments(disk: Disk, directory: str, segments: Iterable[Segment]) -> None:
    """Remove the files of segments that lie before all others of their log."""
    for segment in segments:
        for path in (segment.index_path, segment.producers_path, segment.path):
            try:
                disk.unlink(path)
            except FileNotFoundError:
                continue
    disk.sync_dir(directory)


def remove_partition(disk: Disk, data_dir: str, partition: PartitionId) -> None:
    """Remove the log of a partition; the last one of its topic takes the topic's directory."""
    path = partition_dir(data_dir, partition)
    try:
        disk.rename(path, path + DELETED_SUFFIX)
    except FileNotFoundError:
        return
    topic = topic_dir(data_dir, partition.topic_id)
    disk.sync_dir(topic)
    disk.remove_tree(path + DELETED_SUFFIX)
    # Durable with whatever comes next: a start removes an empty one too.
    disk.remove_empty_dir(topic)
