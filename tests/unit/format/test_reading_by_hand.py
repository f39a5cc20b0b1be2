"""An archive read with nothing but what docs/formats.md says.

Whoever changes this file changes a promise to the readers of old buckets. Nothing is imported from
the package but what writes the archive.
"""

import base64
import hashlib
import json
import struct
import zlib
from dataclasses import replace
from typing import Any

import crc32c
import pytest

from everlog.format.cloning import cloned_root
from everlog.format.folding import Folding, folded
from everlog.format.manifest import append, first_root
from everlog.format.pointer import encode_pointer, pointer_to
from everlog.format.recovery import RootPlan
from everlog.format.retention import Cut, expired
from everlog.format.root_codec import encode_root
from everlog.format.segment_sections import AbortedTransaction
from everlog.format.walk import drive
from everlog.model.ids import TopicId
from everlog.model.object_lock import LockMode, ObjectLock
from everlog.model.offsets import LeaderEpoch, Offset
from tests.unit.format.samples import NOW_MS, PATH, Pages, entry, next_root, stamp, uid, uids
from tests.unit.format.segments import LINEAGE, Batch, Made, made

CLUSTER = "Ab_-9cluster-id-22char"
TOPIC_ID = bytes(range(16))
PARTITION = 7


def checked(data: bytes, checksum: int) -> bytes:
    assert crc32c.crc32c(data) == checksum
    return data


def table(data: bytes, types: str) -> list[tuple[Any, ...]]:
    """Rows of a table whose columns have the space-separated types."""
    columns, at = [], 0
    codes = types.split()
    rows, rest = divmod(len(data), sum(struct.calcsize("<" + code) for code in codes))
    assert rest == 0
    for code in codes:
        size = struct.calcsize("<" + code) * rows
        column = struct.iter_unpack("<" + code, data[at : at + size])
        columns.append([value for (value,) in column])
        at += size
    return list(zip(*columns, strict=True))


def uid_of(text: str) -> bytes:
    return base64.b32decode(text.upper() + "======")


def prefix() -> str:
    spread = hashlib.blake2b(TOPIC_ID + struct.pack("<I", PARTITION)).hexdigest()[:4]
    return f"{spread}/{CLUSTER}/{TOPIC_ID.hex()}/{PARTITION:06d}/"


SEGMENT: Made = made(
    [
        Batch(base_offset=100, timestamps=[5, 9, 7], epoch=1),
        Batch(base_offset=103, timestamps=[8], value_bytes=700, epoch=1),
        Batch(base_offset=140, timestamps=[4, 12], value_bytes=300, epoch=2),
        Batch(base_offset=180, timestamps=[11], epoch=5),
    ],
    base=100,
    end=200,
    lineage=LINEAGE,
    aborted=[AbortedTransaction(producer_id=9, first_offset=Offset(101), last_offset=Offset(999))],
    producers=b"opaque",
)


def sections_of(whole: bytes) -> dict[int, bytes]:
    tail = whole[-64:]
    checked(tail[:60], struct.unpack("<I", tail[60:])[0])
    magic, fmt, count, partition, topic, at, length, crc, size, epoch = struct.unpack(
        "<8sHHI16sQIIQI", tail[:60]
    )
    assert (magic, fmt, partition, topic) == (b"EVERLOGS", 1, PARTITION, TOPIC_ID)
    assert (length, size, epoch) == (24 * count, len(whole), 3)
    rows = checked(whole[at : at + length], crc)
    assert at + length + 64 == size
    found = {}
    for row in range(count):
        kind, version, start, length, crc = struct.unpack_from("<HHQQI", rows, 24 * row)
        assert version == 1
        found[kind] = checked(whole[start : start + length], crc)
    return found


def index_column(data: bytes) -> tuple[list[int], bytes]:
    origin, count, width, zero = struct.unpack_from("<qIHH", data)
    assert zero == 0
    values = struct.unpack_from(f"<{count}{ {4: 'I', 8: 'Q'}[width] }", data, 16)
    return [origin + value for value in values], data[16 + count * width :]


@pytest.mark.rule("BP-D14")
def test_a_segment_object_can_be_read_by_hand() -> None:
    whole = SEGMENT.whole
    assert crc32c.crc32c(whole) == SEGMENT.sealed.crc32c
    found = sections_of(whole)
    assert sorted(found) == [1, 2, 3, 4, 5, 6, 7]
    assert found[6] == b"opaque"
    assert table(found[7], "q I") == [(0, 1), (130, 2), (170, 5)]
    assert table(found[5], "q q q") == [(9, 101, 999)]

    identity = struct.unpack_from("<16s16sIIIIQqqqqQQQqIH", found[1])
    assert found[1][126:] == CLUSTER.encode()
    data_bytes, data_crc = identity[13], identity[15]
    assert identity == (
        *(TOPIC_ID, uid(1), PARTITION, 3, 5, 5, 12, 100, 200, 5, 12),
        *(7, 4, len(SEGMENT.data), NOW_MS, crc32c.crc32c(SEGMENT.data), len(CLUSTER)),
    )
    checked(whole[:data_bytes], data_crc)

    position, offset = 0, 100
    chunks = table(found[2], "Q q q q I I")
    for at, base, end, _, length, crc in chunks:
        assert at == position
        assert offset <= base < end
        chunk = checked(whole[at : at + length], crc)
        assert struct.unpack_from(">q", chunk) == (base,)
        position, offset = at + length, end
    assert position == data_bytes
    assert [chunk[3] for chunk in chunks] == [9, 8, 12]

    times, rest = index_column(found[4])
    assert rest == b""
    bases, rest = index_column(found[3])
    positions, rest = index_column(rest)
    assert rest == b""
    assert [struct.unpack_from(">q", whole, at)[0] for at in positions] == bases
    assert len(times) == len(positions)
    assert times == sorted(times)
    assert times[-1] == 12


def test_the_name_of_a_segment_object_can_be_read_by_hand() -> None:
    base, end, epoch, claim, ver, name = (
        SEGMENT.key.text.removeprefix(f"{prefix()}seg/").removesuffix(".seg").split("-")
    )
    assert (int(base), int(end)) == (100, 200)
    assert (int(epoch, 16), int(claim, 16), int(ver)) == (3, 5, 12)
    assert uid_of(name) == uid(1)


ENTRY = "q q Q Q Q Q q 16s I I I I"
ENTRY_DIFFERENCES = (0, 1, 5, 6)
REF = "q q Q Q Q 16s 32s I H H"
REF_DIFFERENCES = (0, 1)


def page_rows(body: bytes, name: bytes, digest: bytes) -> tuple[int, list[list[Any]]]:
    """Level and rows of a page."""
    assert hashlib.sha256(body).digest() == digest
    checked(body[:-4], struct.unpack("<I", body[-4:])[0])
    magic, fmt, level, partition, topic, found, count, _, end = struct.unpack_from(
        "<8sHHI16s16sIqq", body
    )
    assert (magic, fmt, partition, topic, found) == (*(b"EVERLOGP", 1, PARTITION, TOPIC_ID, name),)
    data = zlib.decompress(body[68:-4])
    rows = [list(row) for row in table(data, ENTRY if level == 1 else REF)]
    assert len(rows) == count
    for column in ENTRY_DIFFERENCES if level == 1 else REF_DIFFERENCES:
        value = 0
        for row in rows:
            value = (value + row[column]) % 2**64
            row[column] = value - 2**64 if value >= 2**63 else value
    assert rows[-1][0] == end
    return level, rows


def test_a_manifest_can_be_read_by_hand() -> None:
    pages, fresh = Pages(), uids()
    root = first_root(PATH, uid=uid(-1), stamp=stamp(1), start=Offset(50), created_ms=NOW_MS)
    listed = [
        entry(50, 100),
        *(entry(at, at + 7, max_timestamp=at % 30 - 1) for at in range(100, 280, 7)),
    ]
    folding = Folding(entries=4, small_pages=2, large_pages=2)
    for one in listed:
        root = append(root, [one], end_epoch=LeaderEpoch(2))
        fold = drive(folded(root, uids=fresh, not_before_ms=NOW_MS, folding=folding), pages.load)
        pages.put(fold.pages)
        root = fold.root
    first = encode_root(root)
    root = next_root(root, 1)
    root = drive(expired(root, Cut(start=Offset(110)), not_before_ms=NOW_MS), pages.load)
    stored = encode_root(root)
    bodies = {page.uid: body for page, body in pages.bodies.items()}
    body = stored.body

    checked(body[:-4], struct.unpack("<I", body[-4:])[0])
    header = struct.unpack_from("<8sHHI16s16sIIQIIQ16s32sqqqqQQQQqiIIII", body)
    assert header[:5] == (b"EVERLOGR", 2, len(CLUSTER), PARTITION, TOPIC_ID)
    assert header[5:9] == (root.uid, 3, 5, 2)
    assert header[9:14] == (3, 5, 1, uid(-1), first.ref.sha256)
    live_start, start, end, written = header[14:18]
    assert (live_start, start, end, written) == (107, 110, 282, NOW_MS)
    assert header[18:22] == (25, 25 * 7, 25 * 1100, 25 * 1000)
    row_start, end_epoch, ref_count, entry_count, trash_count, trash_bytes = header[22:]
    assert (row_start, end_epoch) == (50, 2)
    at = 220 + len(CLUSTER)
    assert body[220:at] == CLUSTER.encode()
    refs = table(body[at : at + 96 * ref_count], REF)
    at += 96 * ref_count
    inline = table(body[at : at + 88 * entry_count], ENTRY)
    at += 88 * entry_count

    assert at + trash_bytes + 4 == len(body)
    assert trash_count

    def leaves(rows: list[Any]) -> list[Any]:
        found: list[Any] = []
        for row in rows:
            level, below = page_rows(bodies[row[5]], row[5], row[6])
            assert level == row[8]
            found += below if level == 1 else leaves(below)
        return found

    assert {row[8] for row in refs} == {1, 2}
    rows = leaves(refs) + [list(row) for row in inline]
    assert len(rows) == len(listed)
    base = row_start
    for row, one in zip(rows, listed, strict=True):
        assert (base, row[0]) == (one.offsets.start, one.offsets.end)
        assert row[1:7] == [one.max_timestamp, 1100, 1000, one.records, 0, NOW_MS]
        flags = 2 if one.max_timestamp < 0 else 0
        assert row[7:] == [one.uid, 3, 5, one.crc32c, flags]
        base = row[0]


def test_the_origins_of_a_clone_can_be_read_by_hand() -> None:
    other = replace(PATH, topic_id=TopicId(b"x" * 16), partition=7)
    source = first_root(other, uid=uid(-1), stamp=stamp(4), start=Offset(0), created_ms=NOW_MS)
    source = append(source, [entry(0, 5), entry(5, 9)], end_epoch=LeaderEpoch(1))
    plan = RootPlan(path=PATH, stamp=stamp(5), uids=uids(), created_ms=NOW_MS, not_before_ms=NOW_MS)
    root = drive(cloned_root(source, plan=plan), Pages(other).load).root
    root = append(root, [entry(9, 20, max_timestamp=-1)], end_epoch=LeaderEpoch(2))
    body = encode_root(root).body
    checked(body[:-4], struct.unpack("<I", body[-4:])[0])
    assert body[:10] == b"EVERLOGR\3\0"
    assert body[16:32] == TOPIC_ID
    at = 220 + len(CLUSTER)
    (count,) = struct.unpack_from("<I", body, at)
    origins = table(body[at + 4 : at + 4 + 36 * count], "16s I q Q")
    assert origins == [(b"x" * 16, 7, 9, 4)]
    ref_count, entry_count = struct.unpack_from("<II", body, 204)
    assert ref_count == 0
    at += 4 + 36 * count
    rows = table(body[at : at + 88 * entry_count], ENTRY)
    assert [(row[0], row[11] >> 8 & 255, row[11] & 255) for row in rows] == [
        (5, 1, 0),
        (9, 1, 0),
        (20, 0, 2),
    ]


BODIES = {1: "<qqIIQ16s", 2: "<IIQ16s", 3: "<qq16s", 4: "<qqBqq16s32s"}


def test_the_trash_of_a_root_can_be_read_by_hand() -> None:
    root = first_root(PATH, uid=uid(-1), stamp=stamp(1), start=Offset(0), created_ms=NOW_MS)
    root = append(root, [entry(0, 5), entry(5, 9)], end_epoch=LeaderEpoch(1))
    root = drive(expired(root, Cut(start=Offset(5)), not_before_ms=77), Pages().load)
    root = next_root(root, 1)
    data, found = root.trash.data, []
    while data:
        kind, not_before_ms = struct.unpack_from("<Bq", data)
        fields = struct.unpack_from(BODIES[kind], data, 9)
        found.append((kind, not_before_ms, *fields))
        data = data[9 + struct.calcsize(BODIES[kind]) :]
    assert [item[0] for item in found] == [1, 2]
    assert found[0] == (1, 77, 0, 5, 3, 5, 0, uid(0))
    assert found[1][2:] == (3, 5, 1, uid(-1))


def test_the_pointer_can_be_read_by_hand() -> None:
    root = first_root(PATH, uid=uid(4), stamp=stamp(1), start=Offset(0), created_ms=NOW_MS)
    root = append(root, [entry(0, 905)], end_epoch=LeaderEpoch(2))
    stored = encode_root(root)
    payload = encode_pointer(pointer_to(root, stored.ref))
    body, checksum = payload.split(b',"crc32c":"')
    assert checksum == b'%08x"}' % crc32c.crc32c(body)
    found = json.loads(payload)
    assert found.pop("crc32c")
    assert found == {
        "fmt": 1,
        "epoch": 3,
        "claim": 5,
        "ver": 1,
        "root": stored.ref.key(PATH).text.removeprefix(f"{prefix()}root/").removesuffix(".root"),
        "sha256": hashlib.sha256(stored.body).hexdigest(),
        "tiered_start": 0,
        "tiered_end": 905,
        "tiered_end_epoch": 2,
        "bytes": 1100,
        "max_ts": NOW_MS,
    }
    assert uid_of(found["root"].split("-")[3]) == uid(4)


def test_locks_can_be_read_by_hand() -> None:
    root = first_root(PATH, uid=uid(-1), stamp=stamp(4), start=Offset(0), created_ms=NOW_MS)
    made = [
        entry(0, 5, lock=ObjectLock(LockMode.GOVERNANCE, NOW_MS + 5000)),
        entry(5, 9, lock=ObjectLock(LockMode.COMPLIANCE, NOW_MS + 9000)),
        entry(9, 12),
    ]
    root = append(root, made, end_epoch=LeaderEpoch(1))
    root = drive(expired(root, Cut(start=Offset(5)), not_before_ms=NOW_MS), Pages().load)
    body = encode_root(root).body
    checked(body[:-4], struct.unpack("<I", body[-4:])[0])
    assert body[:10] == b"EVERLOGR\4\0"
    at = 220 + len(CLUSTER)
    assert struct.unpack_from("<I", body, at) == (0,)
    entry_count, trash_count, trash_bytes = struct.unpack_from("<III", body, 208)
    at += 4
    rows = table(body[at : at + 96 * entry_count], f"{ENTRY} q")
    assert [(row[11], row[12]) for row in rows] == [(24, NOW_MS + 9000), (0, 0)]
    at += 96 * entry_count
    assert (trash_count, at + trash_bytes + 4) == (1, len(body))
    found = struct.unpack_from("<BqqqIIQ16sqQ", body, at)
    assert found == (5, NOW_MS, 0, 5, 3, 5, 0, uid(0), NOW_MS + 5000, 1100)


def test_the_storage_class_of_an_object_can_be_read_by_hand() -> None:
    root = first_root(PATH, uid=uid(-1), stamp=stamp(4), start=Offset(0), created_ms=NOW_MS)
    made = [
        replace(entry(0, 5), class_number=4),
        replace(entry(5, 9, max_timestamp=-1), class_number=1),
        entry(9, 12),
    ]
    root = append(root, made, end_epoch=LeaderEpoch(1))
    body = encode_root(root).body
    checked(body[:-4], struct.unpack("<I", body[-4:])[0])
    _, entry_count = struct.unpack_from("<II", body, 204)
    at = 220 + len(CLUSTER)
    rows = table(body[at : at + 88 * entry_count], ENTRY)
    # GLACIER_IR, STANDARD_IA without a timestamp, and the default.
    assert [(row[11] >> 16 & 255, row[11] & 0xFFFF) for row in rows] == [(4, 4), (1, 6), (0, 0)]
