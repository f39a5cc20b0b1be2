"""``everlog tier locate``: which object holds a record, and whether the disk holds it, too."""

from dataclasses import dataclass
from typing import Annotated, Any, NoReturn

import typer

from everlog.format.object_keys import PartitionPath
from everlog.model.offsets import Offset
from everlog.stores.object_store import ObjectStore
from service.app.cli.archived_topics import ClusterOption, find_partitions, topic_id_of
from service.app.cli.connection import (
    BOOTSTRAP_DEFAULT,
    BootstrapOption,
    connect_admin,
    kafka_errors,
    wall_ms,
)
from service.app.cli.failure import FAILURE_STATUS, fail, misuse
from service.app.cli.marks import Marks, offsets_at_time, read_marks
from service.app.cli.output import Output, OutputOption, show_json
from service.app.cli.sizes import plural, size_text
from service.app.cli.store_option import BROKERS_STORE, OptionalStoreOption, run_on_store
from service.app.cli.times import instant_ms, instant_text
from service.app.cli.topic_identity import ask_topic_id, read_identity, read_store_url
from service.app.cli.topic_options import check_partition, find_topic, read_cluster
from service.app.source_cluster import source_cluster
from service.tiering.archive_listing import read_root, root_names
from service.tiering.locating import Location, Locator

_FORM = "write TOPIC:PARTITION, and behind it @OFFSET, or a time such as @2024-01-01 or @-3h"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is looked for: an offset, or the first record at or after a time, or neither."""

    topic: str
    partition: int
    offset: int | None = None
    timestamp_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was found.

    Attributes:
        marks: What the broker tells; None if none was asked.
        archive: (first offset, end, objects, bytes) of the newest root; None without a root.
        location: None if the archive does not hold it, or nothing in particular was looked for.
    """

    path: PartitionPath
    marks: Marks | None
    archive: tuple[int, int, int, int] | None
    location: Location | None


def locate(
    target: Annotated[
        str, typer.Argument(metavar="TOPIC:PARTITION[@OFFSET|@TIME]", help="What to look for.")
    ],
    *,
    store: OptionalStoreOption = None,
    cluster: ClusterOption = None,
    bootstrap: BootstrapOption = BOOTSTRAP_DEFAULT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Say which object of the archive holds a record, and whether it is local, too.

    Without --store a broker is asked where its archive is. With it TOPIC may be a topic's id, and
    then no broker is asked.
    """
    wanted = parse_target(target, now_ms=wall_ms())
    if store is None:
        answer, url = _online(wanted, bootstrap)
    else:
        answer, url = _offline(wanted, store, cluster, bootstrap), store
    facts = {"target": target, "store": url, **facts_of(wanted, answer)}
    if output is Output.JSON:
        show_json(facts)
    else:
        for title, text in sentences(wanted, answer):
            print(f"{title:<8} {text}")
    if not facts["found"]:
        raise SystemExit(FAILURE_STATUS)


def parse_target(text: str, *, now_ms: int) -> Target:
    """Read ``TOPIC:PARTITION[@OFFSET|@TIME]``; end if it is something else."""
    named, at, place = text.partition("@")
    topic, colon, number = named.rpartition(":")
    if not colon or not topic or not number.isdecimal() or (at and not place):
        misuse(f"{text!r} names no place in a topic", _FORM)
    target = Target(topic=topic, partition=int(number))
    if not at:
        return target
    if place.isdecimal():
        return Target(topic=topic, partition=int(number), offset=int(place))
    timestamp_ms = instant_ms(place, now_ms=now_ms)
    if timestamp_ms is None:
        misuse(f"{place!r} is neither an offset nor a time", _FORM)
    return Target(topic=topic, partition=int(number), timestamp_ms=timestamp_ms)


def _online(target: Target, bootstrap: str) -> tuple[Answer, str]:
    with kafka_errors(bootstrap):
        admin = connect_admin(bootstrap)
        metadata = read_cluster(admin)
        numbers = find_topic(metadata, target.topic).partitions
        check_partition(target.topic, target.partition, numbers)
        identity = read_identity(admin, metadata, target.topic)
        url = read_store_url(admin, metadata) or _unknown_store()
        key = (target.topic, target.partition)
        marks = read_marks(admin, metadata, [target.topic]).get(key)
        if target.timestamp_ms is not None:
            found = offsets_at_time(admin, [key], target.timestamp_ms).get(key)
            if found is None:
                fail(f"{target.topic}/{target.partition} has no record as late as that", "")
            target = Target(topic=target.topic, partition=target.partition, offset=found)

    async def work(opened: ObjectStore) -> Answer:
        path = PartitionPath(
            cluster_id=await source_cluster(opened, url, identity.cluster_id),
            topic_id=identity.topic_id,
            partition=target.partition,
        )
        return await _look_up(opened, path, target, marks)

    return run_on_store(url, work, option=BROKERS_STORE), url


def _unknown_store() -> NoReturn:
    fail("the broker does not say where its archive is", "say it with --store")


def _offline(target: Target, url: str, cluster: str | None, bootstrap: str) -> Answer:
    topic_id = topic_id_of(target.topic) or ask_topic_id(bootstrap, target.topic)

    async def work(opened: ObjectStore) -> Answer:
        paths = await find_partitions(opened, url=url, cluster=cluster, topic_id=topic_id)
        mine = [path for path in paths if path.partition == target.partition]
        if not mine:
            fail(f"{url} has nothing of partition {target.partition}", "")
        if len(mine) > 1:
            fail(f"{url} has it of {len(mine)} clusters", "say which, with --cluster")
        return await _look_up(opened, mine[0], target, None)

    return run_on_store(url, work)


async def _look_up(
    store: ObjectStore, path: PartitionPath, target: Target, marks: Marks | None
) -> Answer:
    names = await root_names(store, path)
    if names.newest is None:
        return Answer(path=path, marks=marks, archive=None, location=None)
    root = (await read_root(store, names, names.newest)).root
    locator = Locator(store, path, root)
    location: Location | None = None
    if target.offset is not None:
        location = await locator.at_offset(Offset(target.offset))
    elif target.timestamp_ms is not None:
        location = await locator.at_time(target.timestamp_ms)
    archive = (root.tiered_start, root.tiered_end, root.totals.entries, root.totals.bytes)
    return Answer(path=path, marks=marks, archive=archive, location=location)


def facts_of(target: Target, answer: Answer) -> dict[str, Any]:
    """Return what was found, with stable names."""
    location, marks = answer.location, answer.marks
    offset = target.offset if location is None else location.offset
    start, end, objects, size = answer.archive or (None, None, 0, 0)
    local = _locality(offset, marks)
    asks_for_none = target.offset is None and target.timestamp_ms is None
    return {
        "found": asks_for_none or location is not None or bool(local),
        "prefix": answer.path.prefix,
        "archive_start": start,
        "archive_end": end,
        "archive_objects": objects,
        "archive_bytes": size,
        "offset": offset,
        "local": local,
        "object": None if location is None else _object_facts(location),
    }


def _object_facts(location: Location) -> dict[str, Any]:
    entry, meta, chunk = location.entry, location.meta, location.chunk
    return {
        "key": meta.key.text,
        "start": entry.offsets.start,
        "end": entry.offsets.end,
        "records": entry.records,
        "bytes": entry.size_bytes,
        "data_bytes": entry.data_bytes,
        "crc32c": f"{entry.crc32c:08x}",
        "first_timestamp_ms": meta.first_timestamp,
        "max_timestamp_ms": entry.max_timestamp,
        "created_ms": entry.created_ms,
        "epoch": entry.stamp.epoch,
        "claim": entry.stamp.claim,
        "commit": entry.stamp.ver,
        "chunks": location.chunk_count,
        "chunk": None
        if chunk is None
        else {
            "number": location.chunk_number,
            "position": chunk.position,
            "bytes": chunk.length,
            "start": chunk.offsets.start,
            "end": chunk.offsets.end,
        },
    }


def _locality(offset: int | None, marks: Marks | None) -> bool | None:
    """Tell whether the leader's disk holds an offset; None if nobody said."""
    if offset is None or marks is None or marks.local_start is None:
        return None
    return marks.local_start <= offset < marks.end


def sentences(target: Target, answer: Answer) -> list[tuple[str, str]]:
    """Return (title, text) for each thing that is known."""
    location = answer.location
    offset = target.offset if location is None else location.offset
    lines = [("Archive", _archive_text(answer)), ("Prefix", answer.path.prefix)]
    if target.offset is None and target.timestamp_ms is None:
        return lines
    if location is None:
        lines.append(("Object", "none: the archive does not hold it"))
    else:
        lines += _object_lines(location)
    lines.append(("Local", _local_text(offset, answer.marks)))
    return lines


def _object_lines(location: Location) -> list[tuple[str, str]]:
    entry, meta, chunk = location.entry, location.meta, location.chunk
    first, last = instant_text(meta.first_timestamp), instant_text(entry.max_timestamp)
    size = f"{size_text(entry.size_bytes)}, of it {size_text(entry.data_bytes)} batches"
    made = f"for commit {entry.stamp.ver:,} by epoch {entry.stamp.epoch}, claim {entry.stamp.claim}"
    where = "none: from there on the object has no records"
    if chunk is not None and location.chunk_number is not None:
        number = f"{location.chunk_number + 1:,} of {location.chunk_count:,}"
        place = f"bytes {chunk.position:,} to {chunk.position + chunk.length - 1:,}"
        where = f"{number}: {place}, offsets {_span(chunk.offsets.start, chunk.offsets.end)}"
    offsets = f"{_span(entry.offsets.start, entry.offsets.end)}, {plural(entry.records, 'record')}"
    return [
        ("Offset", f"{location.offset:,}"),
        ("Object", meta.key.text),
        ("Offsets", offsets),
        ("Times", f"{first} to {last}"),
        ("Size", f"{size}, CRC-32C {entry.crc32c:08x}"),
        ("Chunk", where),
        ("Made", f"{instant_text(entry.created_ms)} {made}"),
    ]


def _archive_text(answer: Answer) -> str:
    if answer.archive is None:
        return "nothing yet: there is no root"
    start, end, objects, size = answer.archive
    if start == end:
        return f"empty, up to {end:,}"
    return f"{_span(start, end)} in {plural(objects, 'object')}, {size_text(size)}"


def _local_text(offset: int | None, marks: Marks | None) -> str:
    local = _locality(offset, marks)
    if local is None or marks is None:
        return "not known: no broker was asked" if marks is None else "not known"
    assert marks.local_start is not None
    held = f"the disk holds {_span(marks.local_start, marks.end)}"
    return f"{'yes' if local else 'no'}, {held}" if marks.local_start < marks.end else "no"


def _span(start: int, end: int) -> str:
    return f"{start:,} to {end - 1:,}"
