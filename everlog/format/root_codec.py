"""Roots as bytes: one spelling for each root, so that its SHA-256 names it.

Layout, little-endian::

     0 magic           8s  EVERLOGR         128 live start        i64
     8 format          u16 1, 2, 3, 4       136 tiered start      i64
    10 cluster bytes   u16                  144 tiered end        i64
    12 partition       u32                  152 created           i64 ms
    16 topic id        16s                  160 live entries      u64
    32 uid             16s                  168 live records      u64
    48 epoch           u32                  176 live bytes        u64
    52 claim           u32                  184 live data bytes   u64
    56 ver             u64                  192 first row's start i64
    64 previous epoch  u32                  200 tiered end epoch  i32  -1: none
    68 previous claim  u32                  204 page references   u32
    72 previous ver    u64                  208 entries           u32
    80 previous uid    16s  zeros: none     212 trash items       u32
    96 its SHA-256     32s                  216 trash bytes       u32

then from 220 the cluster id, from format 3 on the number of origins (u32) and their columns, the
columns of the page references, the columns of the entries and the trash items, and at the end a
CRC-32C (u32) of everything before it. Format 4 has one column of entries more.
"""

from dataclasses import dataclass
from hashlib import sha256
from struct import Struct
from typing import Any

from everlog.format.column_table import ColumnTable, Layout
from everlog.format.entries import ENTRY_LAYOUT, PLAIN_LAYOUT, Totals, not_plain, plain
from everlog.format.errors import CorruptObjectError
from everlog.format.object_keys import (
    UID_BYTES,
    InvalidKeyError,
    PartitionPath,
    RootKey,
    Stamp,
    Uid,
)
from everlog.format.origins import ORIGIN_LAYOUT, ORIGINS_MAX, Origin, origin_table, origins_of
from everlog.format.page_refs import REF_LAYOUT
from everlog.format.root import (
    CLONE_FORMAT,
    INLINE_ENTRIES_MAX,
    LOCK_FORMAT,
    PAGED_FORMAT,
    Root,
    RootFullError,
    RootRef,
)
from everlog.format.sealing import sealed, unsealed
from everlog.format.span_table import SpanTable
from everlog.format.trash import Trash
from everlog.model.ids import TopicId
from everlog.model.offsets import LeaderEpoch, Offset

_MAGIC = b"EVERLOGR"
_HEADER = Struct("<8sHHI16s16sIIQIIQ16s32sqqqqQQQQqiIIII")
_ORIGIN_COUNT = Struct("<I")
_WHAT = "manifest root"
_WITH_ORIGINS = frozenset({CLONE_FORMAT, LOCK_FORMAT})
_NO_EPOCH = -1
_NO_UID = Uid(bytes(UID_BYTES))
_NO_PREVIOUS = RootRef(stamp=Stamp(LeaderEpoch(0), 0, 0), uid=_NO_UID, sha256=bytes(32))


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedRoot:
    """A root to store, and the reference that the pointer will hold."""

    ref: RootRef
    body: bytes


def encode_root(root: Root) -> EncodedRoot:
    """Write a root down; equal roots give equal bytes.

    Raises:
        RootFullError: It has to be folded first.
    """
    if len(root.entries) > INLINE_ENTRIES_MAX:
        raise RootFullError(root_format=root.format, entries=len(root.entries))
    fault = root.fault()
    assert fault is None, fault
    previous = root.previous or _NO_PREVIOUS
    cluster_id = root.path.cluster_id.encode("ascii")
    root_format = LOCK_FORMAT if root.has_locks else root.format
    header = _HEADER.pack(
        _MAGIC,
        root_format,
        len(cluster_id),
        root.path.partition,
        root.path.topic_id,
        root.uid,
        root.stamp.epoch,
        root.stamp.claim,
        root.stamp.ver,
        previous.stamp.epoch,
        previous.stamp.claim,
        previous.stamp.ver,
        previous.uid,
        previous.sha256,
        root.live_start,
        root.tiered_start,
        root.tiered_end,
        root.created_ms,
        root.totals.entries,
        root.totals.records,
        root.totals.bytes,
        root.totals.data_bytes,
        root.refs.base,
        _NO_EPOCH if root.tiered_end_epoch is None else root.tiered_end_epoch,
        len(root.refs),
        len(root.entries),
        len(root.trash),
        len(root.trash.data),
    )
    rows = root.entries.rows if root_format == LOCK_FORMAT else plain(root.entries.rows)
    columns = (root.refs.rows.data, rows.data, root.trash.data)
    origins = b""
    if root_format in _WITH_ORIGINS:
        origins = _ORIGIN_COUNT.pack(len(root.origins)) + origin_table(root.origins).data
    body = sealed(b"".join((header, cluster_id, origins, *columns)))
    ref = RootRef(stamp=root.stamp, uid=root.uid, sha256=sha256(body).digest())
    return EncodedRoot(ref=ref, body=body)


def decode_root(body: bytes, *, key: RootKey, digest: bytes | None) -> Root:
    """Read the root that was found under ``key``.

    Args:
        body: The whole object.
        key: Its name.
        digest: Its SHA-256 as the pointer or a successor has it; None when only the bucket is
            left to ask.

    Raises:
        CorruptObjectError: The bytes are damaged, contradict themselves, or are another root.
        UnsupportedFormatError: A newer Everlog wrote the root.
    """
    if digest is not None and sha256(body).digest() != digest:
        raise CorruptObjectError(_WHAT, "its SHA-256 is not the one that is referred to")
    view = unsealed(
        body, magic=_MAGIC, header_bytes=_HEADER.size, format_max=LOCK_FORMAT, what=_WHAT
    )
    try:
        root = _decoded(view, _HEADER.unpack_from(view))
    except InvalidKeyError as error:
        raise CorruptObjectError(_WHAT, str(error)) from error
    found = RootKey(path=root.path, stamp=root.stamp, uid=root.uid)
    if found != key:
        raise CorruptObjectError(_WHAT, f"it is {found.text} instead of {key.text}")
    if len(root.entries) > INLINE_ENTRIES_MAX:
        raise CorruptObjectError(_WHAT, f"it holds {len(root.entries)} entries")
    if fault := root.fault():
        raise CorruptObjectError(_WHAT, fault)
    return root


def _decoded(view: memoryview, header: tuple[Any, ...]) -> Root:
    """Return the root of a checked frame; whether it is consistent is for `Root.fault` to say."""
    _, root_format, cluster_bytes, partition, topic_id, uid, *rest = header
    epoch, claim, ver, *rest = rest
    previous_epoch, previous_claim, previous_ver, previous_uid, previous_sha256, *rest = rest
    live_start, tiered_start, tiered_end, created_ms, *rest = rest
    entries, records, total_bytes, data_bytes, *rest = rest
    base, end_epoch, ref_count, entry_count, trash_count, trash_bytes = rest
    pieces = _Pieces(view, at=_HEADER.size)
    cluster_id = pieces.take(cluster_bytes).decode("ascii", errors="replace")
    origins = _origins(pieces, cluster_id) if root_format in _WITH_ORIGINS else ()
    refs = SpanTable(base=base, rows=pieces.rows(REF_LAYOUT, ref_count))
    is_plain = root_format != LOCK_FORMAT
    rows = pieces.rows(PLAIN_LAYOUT if is_plain else ENTRY_LAYOUT, entry_count)
    inline = SpanTable(base=refs.end, rows=not_plain(rows) if is_plain else rows)
    if not is_plain:
        root_format = CLONE_FORMAT if origins else PAGED_FORMAT
    trash = Trash.of_bytes(pieces.take(trash_bytes), trash_count)
    pieces.check_end()
    previous = RootRef(
        stamp=Stamp(previous_epoch, previous_claim, previous_ver),
        uid=Uid(previous_uid),
        sha256=previous_sha256,
    )
    if previous.uid == _NO_UID and previous != _NO_PREVIOUS:
        raise CorruptObjectError(_WHAT, "it follows a root without a uid")
    return Root(
        format=root_format,
        path=PartitionPath(cluster_id=cluster_id, topic_id=TopicId(topic_id), partition=partition),
        stamp=Stamp(epoch, claim, ver),
        uid=Uid(uid),
        previous=None if previous == _NO_PREVIOUS else previous,
        created_ms=created_ms,
        live_start=Offset(live_start),
        tiered_start=Offset(tiered_start),
        tiered_end=Offset(tiered_end),
        tiered_end_epoch=None if end_epoch == _NO_EPOCH else LeaderEpoch(end_epoch),
        totals=Totals(entries=entries, records=records, bytes=total_bytes, data_bytes=data_bytes),
        refs=refs,
        entries=inline,
        trash=trash,
        origins=origins,
    )


def _origins(pieces: "_Pieces", cluster_id: str) -> tuple[Origin, ...]:
    (count,) = _ORIGIN_COUNT.unpack(pieces.take(_ORIGIN_COUNT.size))
    if count > ORIGINS_MAX:
        raise CorruptObjectError(_WHAT, f"it claims {count} origins")
    return origins_of(pieces.rows(ORIGIN_LAYOUT, count), cluster_id=cluster_id)


class _Pieces:
    """Takes bytes from a root, one piece after the other, and copies them out."""

    def __init__(self, view: memoryview, *, at: int) -> None:
        self._view = view
        self._at = at

    def take(self, size: int) -> bytes:
        piece = bytes(self._view[self._at : self._at + size])
        if len(piece) != size:
            raise CorruptObjectError(_WHAT, f"it ends {size - len(piece)} bytes too early")
        self._at += size
        return piece

    def rows(self, layout: Layout, count: int) -> ColumnTable:
        return ColumnTable.of_bytes(layout, self.take(count * layout.row_bytes), _WHAT)

    def check_end(self) -> None:
        if self._at != len(self._view):
            raise CorruptObjectError(_WHAT, f"{len(self._view) - self._at} bytes are left over")
