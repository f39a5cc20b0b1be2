"""What happens to the directories of logs as a whole; everything in here blocks."""

from collections.abc import Collection, Iterable
from contextlib import suppress

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


def prepare(disk: Disk, data_dir: str, known: Collection[PartitionId]) -> bool:
    """Make a data directory ready for a start; return whether the last stop was a clean one.

    Directories of partitions that are not ``known`` are renamed, never deleted (REL-Y9); the clean
    marker goes before anything can change (REL-Y5).
    """
    root = f"{data_dir}/{LOGS_DIR}"
    disk.make_dirs(root)
    try:
        disk.unlink(f"{data_dir}/{CLEAN_SHUTDOWN}")
        was_clean = True
    except FileNotFoundError:
        was_clean = False
    disk.sync_dir(data_dir)
    known_paths = {partition_dir(data_dir, partition) for partition in known}
    for name, _ in disk.list_dir(root):
        _tidy_topic(disk, f"{root}/{name.rstrip('/')}", known_paths)
    return was_clean


def has_log(disk: Disk, data_dir: str, partition: PartitionId) -> bool:
    """Whether there is a directory for the log of a partition."""
    topic, _, name = partition_dir(data_dir, partition).rpartition("/")
    with suppress(FileNotFoundError):
        return any(entry.rstrip("/") == name for entry, _ in disk.list_dir(topic))
    return False


def remove_segments(disk: Disk, directory: str, segments: Iterable[Segment]) -> None:
    """Remove the files of segments."""
    for segment in segments:
        # The log itself last: what is left of one without it could be taken for another one's.
        for path in (segment.index_path, segment.producers_path, segment.path):
            with suppress(FileNotFoundError):
                disk.unlink(path)
    disk.sync_dir(directory)


def remove_log(disk: Disk, data_dir: str, partition: PartitionId) -> None:
    """Remove the directory of a partition; the last one of its topic takes the topic's with it."""
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


def _tidy_topic(disk: Disk, path: str, known_paths: Collection[str]) -> None:
    name = path.rpartition("/")[2]
    if topic_id_of(name) is None:
        return
    for entry, _ in disk.list_dir(path):
        child = f"{path}/{entry.rstrip('/')}"
        if child.endswith(DELETED_SUFFIX):
            disk.remove_tree(child)
        elif child not in known_paths and not child.endswith(STRAY_SUFFIX):
            disk.rename(child, child + STRAY_SUFFIX)
            disk.sync_dir(path)
    disk.remove_empty_dir(path)
