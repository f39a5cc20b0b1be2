"""Names of the files and directories below a data directory.

::

    meta.json                                whose data this is
    clean-shutdown                           written last at a clean stop, removed first at a start
    synced-marks                             how far each log was synced at least
    logs/<topic id, 32 hex digits>/<partition>/
        00000000000000000042.log             segment: record batches from offset 42 on
        00000000000000000042.index           sparse index of a sealed segment; rebuilt when missing
        00000000000000000042.producers       state of idempotent producers just before offset 42
        00000000000000000042.log.cut         what lay behind a torn tail; never removed by itself
        leader-epochs                        epoch and start offset of each term up to the last roll
        log-start                            first offset, once DeleteRecords or retention has moved
        it
        cleaned                              how far a compacted log is clean
        cleaning                             a swap of segments that is under way
        00000000000000000042.log.cleaned     what is to take the place of segments from 42 on
    logs/<...>.deleted                       a partition on its way out
    logs/<...>.stray                         a directory that nobody claims; never removed by itself
"""

from everlog.model.ids import PartitionId, TopicId

LOGS_DIR = "logs"
SYNCED_MARKS = "synced-marks"
CLEAN_SHUTDOWN = "clean-shutdown"
LEADER_EPOCHS = "leader-epochs"
LOG_START = "log-start"
CLEANED = "cleaned"
CLEANING = "cleaning"
SEGMENT_SUFFIX = ".log"
CLEANED_SUFFIX = ".cleaned"
INDEX_SUFFIX = ".index"
PRODUCERS_SUFFIX = ".producers"
CUT_SUFFIX = ".cut"
DELETED_SUFFIX = ".deleted"
STRAY_SUFFIX = ".stray"
_OFFSET_DIGITS = 20
_TOPIC_HEX_DIGITS = 32


def topic_dir(data_dir: str, topic_id: TopicId) -> str:
    """Directory of a topic's partitions."""
    return f"{data_dir}/{LOGS_DIR}/{topic_id.hex()}"


def partition_dir(data_dir: str, partition: PartitionId) -> str:
    """Directory of one partition."""
    return f"{topic_dir(data_dir, partition.topic_id)}/{partition.partition}"


def file_name(base_offset: int, suffix: str) -> str:
    """Name of a file that belongs to the segment at ``base_offset``."""
    return f"{base_offset:0{_OFFSET_DIGITS}d}{suffix}"


def base_offset_of(name: str, suffix: str) -> int | None:
    """Read the offset out of a file's name; None if it is another kind of file."""
    stem = name.removesuffix(suffix)
    if stem == name or len(stem) != _OFFSET_DIGITS or not stem.isascii() or not stem.isdigit():
        return None
    return int(stem)


def topic_id_of(name: str) -> TopicId | None:
    """Read the topic id out of a directory's name; None if it is not one of ours."""
    if len(name) != _TOPIC_HEX_DIGITS:
        return None
    try:
        return TopicId(bytes.fromhex(name))
    except ValueError:
        return None
