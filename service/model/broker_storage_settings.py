"""Settings of a broker that say where records are kept: its disk, the archive, the way between."""

import os
from functools import partial
from urllib.parse import quote, urlsplit

from service.model.config_definition import Importance, Setting
from service.model.disk_limit import BYTES_MIN, read_disk_limit
from service.model.setting_type import (
    DAY_MS,
    GIB,
    HOUR_MS,
    KIB,
    MIB,
    MINUTE_MS,
    SECOND_MS,
    SettingType,
    Value,
)

_string = partial(Setting, type=SettingType.STRING)
_bool = partial(Setting, type=SettingType.BOOLEAN)
_int = partial(Setting, type=SettingType.INT)
_long = partial(Setting, type=SettingType.LONG)


def _one_directory(value: Value) -> str | None:
    if not value or "," in str(value):
        return "write one directory; a broker has one disk, and more disks take more brokers"
    return None


def _disk_limit(value: Value) -> str | None:
    if read_disk_limit(str(value)) is None:
        return f"write a share such as 80%, or a size such as 100GiB, {BYTES_MIN} bytes at least"
    return None


def _rate(value: Value) -> str | None:
    return None if value else "write -1 for no limit, or at least one byte per second"


def _store_url(value: Value) -> str | None:
    try:
        url = urlsplit(str(value))
    except ValueError:
        url = urlsplit("")
    if url.username is not None or url.password is not None:
        return "leave credentials out; they come from the usual AWS environment, files and roles"
    if url.scheme == "file" and url.netloc + url.path:
        return None
    if url.scheme == "s3" and url.netloc:
        return None
    is_path = bool(value) and "://" not in str(value)
    directory = quote(os.path.abspath(str(value))) if is_path else "/directory"
    return f"write file://{directory} or s3://bucket/prefix"


_DISK = (
    _string(
        name="data.dir",
        default="./everlog-data",
        aliases=("log.dirs", "log.dir"),
        rule=_one_directory,
        importance=Importance.HIGH,
        documentation="Directory that holds everything this broker keeps on disk.",
    ),
    _string(
        name="log.local.disk.high",
        default="80%",
        rule=_disk_limit,
        importance=Importance.HIGH,
        documentation=(
            "How full the local disk may get: a share of its volume such as 80%, or a size such as "
            "100GiB, which local segments alone count for. Above it the oldest archived segments "
            "are released before their local retention ends, and producers are slowed only when "
            "nothing is left to release."
        ),
    ),
    _string(
        name="log.local.disk.critical",
        default=None,
        rule=_disk_limit,
        importance=Importance.HIGH,
        documentation=(
            "How full it may get at all, written in the same way. Above it producers are told to "
            "try again later (KAFKA_STORAGE_ERROR), and nothing of theirs is appended. Unless "
            "given, 95% of the volume, but no more than 5 GiB have to stay free; or a tenth more "
            "than log.local.disk.high, if that is a size."
        ),
    ),
    _int(
        name="flush.threads",
        default=8,
        low=1,
        high=64,
        documentation="Files that are synced side by side.",
    ),
    _int(
        name="read.threads",
        default=4,
        low=1,
        high=64,
        documentation=(
            "Reads that may wait for the disk side by side, as many of local logs and as many of "
            "the archive; reads from memory do not count."
        ),
    ),
    _int(
        name="files.open.max",
        default=512,
        low=16,
        documentation="Files of logs that are held open at a time; sockets come on top of it.",
    ),
    _long(
        name="log.retention.check.interval.ms",
        default=5 * MINUTE_MS,
        low=1,
        documentation=(
            "Time between two looks for segments to release or to expire, in milliseconds."
        ),
    ),
    _long(
        name="replica.high.watermark.checkpoint.interval.ms",
        default=5 * SECOND_MS,
        low=1,
        importance=Importance.LOW,
        documentation="Time between two saves of high watermarks, in milliseconds.",
        no_effect="of a partition with one replica the log itself tells it",
    ),
    _int(
        name="record.decompressed.max.bytes",
        default=16 * MIB,
        low=KIB,
        documentation=(
            "Largest size that a batch may have once it is decompressed, where batches are opened "
            "(record.validation=full), in bytes."
        ),
    ),
)

_ARCHIVE = (
    _string(
        name="store.url",
        default=None,
        rule=_store_url,
        importance=Importance.HIGH,
        documentation=(
            "Where the archive is: file:///directory or "
            "s3://bucket/prefix?endpoint=URL&region=R&path_style=true. Unless given, a directory "
            "below data.dir. A bucket also takes timeout_s=30, the longest wait for the next bytes "
            "of an answer, and part_bytes=67108864: objects of twice that go up in such parts."
        ),
    ),
    _string(
        name="remote.cache.dir",
        default=None,
        aliases=("cache.dir",),
        documentation=(
            "Directory of what has been read from the archive; below data.dir unless given."
        ),
    ),
    _long(
        name="remote.cache.bytes",
        default=GIB,
        low=MIB,
        documentation="Bytes of the archive that are cached on disk.",
    ),
    _int(
        name="remote.fetch.range.bytes",
        default=8 * MIB,
        low=64 * KIB,
        high=64 * MIB,
        documentation=(
            "Bytes asked of the store in one read by a consumer that goes through the archive in "
            "order; who jumps asks for a mebibyte."
        ),
    ),
    _int(
        name="remote.fetch.parallelism",
        default=16,
        low=1,
        high=256,
        documentation="Reads from the store that run side by side.",
    ),
    _long(
        name="remote.fetch.bytes.in.flight.max",
        default=128 * MIB,
        low=MIB,
        documentation=(
            "Bytes asked of the store at a time, for all readers together. A quarter of it is for "
            "reads that somebody waits for, so that reading ahead never holds them up."
        ),
    ),
    _int(
        name="remote.prefetch.ranges.max",
        default=32,
        low=0,
        high=1024,
        documentation=(
            "How many reads a consumer that goes through the archive in order may be ahead of "
            "itself; 0 turns reading ahead off."
        ),
    ),
    _long(
        name="remote.scan.bytes.per.second.min",
        default=32 * MIB,
        low=MIB,
        documentation=(
            "What consumers that go through the archive in order may always read. They get more "
            "unless producers have to wait for a processor meanwhile; a high value leaves none "
            "of them held back."
        ),
    ),
    _int(
        name="remote.upload.parallelism",
        default=4,
        low=1,
        high=64,
        documentation="Segments that are uploaded side by side.",
    ),
    _long(
        name="remote.upload.bytes.in.flight.max",
        default=256 * MIB,
        low=MIB,
        documentation="Bytes of segments that are uploaded side by side; a larger one goes alone.",
    ),
    _long(
        name="remote.upload.bytes.per.second",
        default=-1,
        low=-1,
        rule=_rate,
        documentation=(
            "Greatest rate at which segments are sent to the archive, in bytes per second over "
            "some of them; -1 is without limit."
        ),
    ),
    _long(
        name="remote.manifest.cache.bytes",
        default=64 * MIB,
        low=MIB,
        documentation=(
            "Memory for manifests of the archive, of all partitions together; what is not in it "
            "is read from the archive when it is needed."
        ),
    ),
    _long(
        name="remote.merge.bytes.per.second",
        default=16 * MIB,
        low=0,
        documentation=(
            "Bytes of records that may be read from the archive, and written to it again, to make "
            "large objects of small ones, or to move old ones to another storage class, a second "
            "on average; 0 leaves all objects as they are."
        ),
    ),
    _long(
        name="archive.reader.grace.ms",
        default=HOUR_MS,
        low=0,
        documentation=(
            "How long an object that is no longer part of the archive stays for those who are "
            "still reading it, in milliseconds."
        ),
    ),
    _long(
        name="archive.restore.window.ms",
        default=0,
        low=0,
        documentation=(
            "How far back a restore to an earlier time (everlog tier restore --at) can go, in "
            "milliseconds: so long stays what is no longer part of the archive, at least "
            "archive.reader.grace.ms. Less of a partition whose retired objects and manifests "
            "would take 2 MiB to list, as after a day of slices every five seconds."
        ),
    ),
    _long(
        name="archive.cut.interval.ms",
        default=10 * MINUTE_MS,
        low=100,
        documentation=(
            "How often the committed offsets of groups, the settings of brokers and the names and "
            "settings of all topics are written to the archive, if anything has changed, in "
            "milliseconds: so old they are at most when everlog tier restore brings them back. "
            "Written at a clean stop, too; not at all while no topic is tiered."
        ),
    ),
    _long(
        name="archive.delete.grace.ms",
        default=DAY_MS,
        low=0,
        documentation=(
            "How long the archive of a deleted topic stays, so that the topic can be brought back "
            "(everlog tier undelete), in milliseconds; 0 removes it at once."
        ),
    ),
    _long(
        name="archive.orphan.grace.ms",
        default=DAY_MS,
        low=HOUR_MS,
        documentation=(
            "Age at which an object that never became part of the archive, such as a broken-off "
            "upload, is removed, in milliseconds."
        ),
    ),
    _bool(
        name="archive.read.only",
        default=False,
        importance=Importance.MEDIUM,
        documentation=(
            "Whether this broker only reads the archive in store.url, which brokers of another "
            "cluster write: it serves all of its topics and never changes a byte of it."
        ),
    ),
    _string(
        name="archive.read.only.cluster",
        default=None,
        documentation=(
            "Id of the cluster whose archive a read-only broker reads; needed only if store.url "
            "holds several."
        ),
    ),
    _long(
        name="archive.read.only.poll.ms",
        default=10 * SECOND_MS,
        low=10,
        documentation=(
            "How often a read-only broker looks for what is new in the archive, in milliseconds; "
            "at partitions that nobody reads it looks in one poll out of six."
        ),
    ),
    _long(
        name="archive.scrub.bytes.per.day",
        default=10 * GIB,
        low=0,
        documentation=(
            "Bytes of archived objects that are read again in a day to see that they are still "
            "what was written; in each round another share of them. 0 turns scrubbing off, also "
            "asking for sizes and checksums."
        ),
    ),
    _long(
        name="archive.scrub.round.ms",
        default=7 * DAY_MS,
        low=MINUTE_MS,
        documentation=(
            "Time in which the store is asked once for the size and checksum of each archived "
            "object, in milliseconds."
        ),
    ),
    _long(
        name="archive.scrub.since.ms",
        default=0,
        low=0,
        dynamic=True,
        documentation=(
            "A time, in milliseconds since 1970: archived objects that were not read since then "
            "are read now, in a round of their own. What is older than the broker's start is done "
            "with; everlog tier scrub --now sets it."
        ),
    ),
    _long(
        name="archive.scrub.asked.bytes.per.second",
        default=64 * MIB,
        low=1,
        documentation="Bytes that such a round reads in a second at most.",
    ),
)

STORAGE_SETTINGS = (*_DISK, *_ARCHIVE)
