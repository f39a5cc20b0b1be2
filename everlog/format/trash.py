"""What a root no longer refers to, and from when on it may be deleted.

Items lie in the order in which they were retired, and their times only rise, so what is due is
always a prefix. Objects have to be deleted in that order: a page then goes after everything that
can only be found by reading it, and a page that is gone proves that its contents are. What a store
keeps locked for longer stays behind (`everlog.format.pins`).

Layout of an item, little-endian: kind u8, not before (ms) i64, and then, by kind::

    1 segment  base i64, end i64, epoch u32, claim u32, ver u64, uid 16s
    2 root     epoch u32, claim u32, ver u64, uid 16s
    3 page     first i64, end i64, uid 16s
    4 range    from i64, to i64, and of the page: level u8, first i64, end i64, uid 16s, SHA-256 32s
    5 locked segment, 6 locked range: as 1 and 4, and then locked until (ms) i64, locked bytes u64
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice, takewhile
from struct import Struct
from typing import Any

from everlog.format.entries import Entry, entry_of
from everlog.format.errors import CorruptObjectError
from everlog.format.object_keys import (
    UID_BYTES,
    InvalidKeyError,
    PageKey,
    PartitionPath,
    RootKey,
    SegmentKey,
    Stamp,
    Uid,
)
from everlog.format.page import Page
from everlog.format.page_refs import ENTRY_PAGE, INDEX_PAGE, PageId, ref_of
from everlog.model.offsets import LeaderEpoch, Offset, OffsetRange

_SEGMENT, _ROOT, _PAGE, _RANGE, _LOCKED_SEGMENT, _LOCKED_RANGE = 1, 2, 3, 4, 5, 6
_LOCKED = {_SEGMENT: _LOCKED_SEGMENT, _RANGE: _LOCKED_RANGE}
_UNLOCKED = {locked: kind for kind, locked in _LOCKED.items()}
_RANGES = frozenset({_RANGE, _LOCKED_RANGE})
_HEAD = Struct("<Bq")
_BODIES = {
    _SEGMENT: Struct("<qqIIQ16s"),
    _ROOT: Struct("<IIQ16s"),
    _PAGE: Struct("<qq16s"),
    _RANGE: Struct("<qqBqq16s32s"),
    _LOCKED_SEGMENT: Struct("<qqIIQ16sqQ"),
    _LOCKED_RANGE: Struct("<qqBqq16s32sqQ"),
}
_SIZES = {kind: _HEAD.size + body.size for kind, body in _BODIES.items()}
_UID_AT = {
    _SEGMENT: 41,
    _ROOT: 25,
    _PAGE: 25,
    _RANGE: 42,
    _LOCKED_SEGMENT: 41,
    _LOCKED_RANGE: 42,
}
"""Where an item has the uid of the object that it names."""

_WHAT = "trash list"


@dataclass(frozen=True, slots=True)
class TrashLock:
    """That a store keeps something: the latest end (ms since 1970) of its locks, and its bytes."""

    until_ms: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrashedSegment:
    """A segment object that expired or was replaced."""

    offsets: OffsetRange
    stamp: Stamp
    uid: Uid
    lock: TrashLock | None = None

    def key(self, path: PartitionPath) -> SegmentKey:
        """Return the name of the object."""
        return SegmentKey(path=path, offsets=self.offsets, stamp=self.stamp, uid=self.uid)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrashedRoot:
    """A root that has a successor."""

    stamp: Stamp
    uid: Uid

    def key(self, path: PartitionPath) -> RootKey:
        """Return the name of the object."""
        return RootKey(path=path, stamp=self.stamp, uid=self.uid)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrashedPage:
    """A page alone: what it refers to lives on elsewhere, or went before it."""

    offsets: OffsetRange
    uid: Uid

    def key(self, path: PartitionPath) -> PageKey:
        """Return the name of the object."""
        return PageKey(path=path, offsets=self.offsets, uid=self.uid)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrashedRange:
    """What a page refers to within ``offsets``, and the page itself if that includes its end.

    It stands for up to a million objects, so that retention costs what it drops in pages.
    """

    offsets: OffsetRange
    page: PageId
    lock: TrashLock | None = None


Trashed = TrashedSegment | TrashedRoot | TrashedPage | TrashedRange


@dataclass(frozen=True, slots=True)
class TrashItem:
    """Something retired, and the time (ms since 1970) before which it stays."""

    not_before_ms: int
    thing: Trashed

    @property
    def lock(self) -> TrashLock | None:
        """What keeps it, or some of it, beyond that time."""
        thing = self.thing
        return thing.lock if isinstance(thing, TrashedSegment | TrashedRange) else None

    def is_locked(self, now_ms: int) -> bool:
        """Whether a store keeps any of it."""
        return self.lock is not None and self.lock.until_ms > now_ms

    @property
    def free_ms(self) -> int:
        """When all of it may go."""
        return self.not_before_ms if self.lock is None else self.lock.until_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Trash:
    """The items of a root, as stored; values only while somebody walks them.

    Attributes:
        locked: Of so many is it noted that the store keeps them for longer.
    """

    data: bytes = b""
    count: int = 0
    locked: int = field(default=0, compare=False)
    latest_ms: int = field(default=0, compare=False)

    @classmethod
    def of_bytes(cls, data: bytes, count: int) -> "Trash":
        """Take stored items.

        Raises:
            CorruptObjectError: They are not ``count`` whole items in order.
        """
        found, locked, latest_ms = 0, 0, 0
        try:
            for item in cls(data=data).items():
                found += 1
                if item.not_before_ms < latest_ms:
                    raise CorruptObjectError(_WHAT, f"item {found} is due before the one above")
                latest_ms = item.not_before_ms
                locked += item.lock is not None
        except InvalidKeyError as error:
            raise CorruptObjectError(_WHAT, str(error)) from error
        if found != count:
            raise CorruptObjectError(_WHAT, f"it holds {found} items instead of {count}")
        return cls(data=data, count=count, locked=locked, latest_ms=latest_ms)

    def __len__(self) -> int:
        return self.count

    def items(self) -> Iterator[TrashItem]:
        """Walk the items, oldest first."""
        for kind, not_before_ms, fields in self._raw():
            yield TrashItem(not_before_ms, _thing(kind, fields))

    def due(self, now_ms: int, *, items_max: int | None = None) -> tuple[TrashItem, ...]:
        """Return the oldest items that may be deleted by now; drop them when they are gone."""
        due = takewhile(lambda item: item.not_before_ms <= now_ms, self.items())
        return tuple(islice(due, items_max))

    @property
    def worth_from_ms(self) -> int | None:
        """When the first thing that is no root may be deleted; None while there are but roots.

        Striking off an old root leaves another one, so that alone is not worth a commit.
        """
        if self.locked:
            items = (item for item in self.items() if not isinstance(item.thing, TrashedRoot))
            return min((item.free_ms for item in items), default=None)
        times = (not_before_ms for kind, not_before_ms, _ in self._raw() if kind != _ROOT)
        return next(times, None)

    def locks(self) -> Iterator[TrashLock]:
        """Yield what is noted of locks."""
        if self.locked:
            yield from (item.lock for item in self.items() if item.lock is not None)

    def added(self, things: Iterable[Trashed], *, not_before_ms: int) -> "Trash":
        """Return the list with newly retired things at its end."""
        # A clock that went back must not put the new items before older ones.
        not_before_ms = max(self.latest_ms, not_before_ms)
        kept = [_until(thing, not_before_ms) for thing in things]
        if not kept:
            return self
        pieces = [_packed(thing, not_before_ms) for thing in kept]
        return Trash(
            data=self.data + b"".join(pieces),
            count=self.count + len(pieces),
            locked=self.locked + sum(1 for each in kept if _is_locked(each)),
            latest_ms=not_before_ms,
        )

    def dropped(self, gone: Collection[int]) -> "Trash":
        """Return the list without the items at some places."""
        assert all(0 <= place < self.count for place in gone), f"{gone} of {self.count} items"
        places, at = frozenset(gone), 0
        pieces: list[bytes] = []
        locked = 0
        for place, (kind, _, _) in enumerate(self._raw()):
            end = at + _HEAD.size + _BODIES[kind].size
            if place not in places:
                pieces.append(self.data[at:end])
                locked += kind in _UNLOCKED
            at = end
        return Trash(
            data=b"".join(pieces), count=len(pieces), locked=locked, latest_ms=self.latest_ms
        )

    def uids(self) -> set[bytes]:
        """Return the uids of the objects that the items name by themselves."""
        # Each commit asks, and of tens of thousands of items: nothing is unpacked but what counts.
        found, data, at = set(), self.data, 0
        while at < len(data):
            kind = data[at]
            uid_at = at + _UID_AT[kind]
            # A range names its page if it goes to the end of it.
            if kind not in _RANGES or data[at + 17 : at + 25] == data[at + 34 : at + 42]:
                found.add(data[uid_at : uid_at + UID_BYTES])
            at += _SIZES[kind]
        return found

    def _raw(self) -> Iterator[tuple[int, int, tuple[Any, ...]]]:
        at = 0
        while at < len(self.data):
            if len(self.data) - at < _HEAD.size:
                raise CorruptObjectError(_WHAT, "its last item is cut off")
            kind, not_before_ms = _HEAD.unpack_from(self.data, at)
            body = _BODIES.get(kind)
            at += _HEAD.size
            if not body or len(self.data) - at < body.size:
                raise CorruptObjectError(_WHAT, f"an item of kind {kind} is cut off or unknown")
            yield kind, not_before_ms, body.unpack_from(self.data, at)
            at += body.size


def trashed(entries: Iterable[Entry]) -> list[TrashedSegment]:
    """Return the objects of entries that have gone, but for those that are another partition's."""
    return [
        TrashedSegment(
            offsets=each.offsets,
            stamp=each.stamp,
            uid=each.uid,
            lock=None if each.lock is None else TrashLock(each.lock.until_ms, each.size_bytes),
        )
        for each in entries
        if each.origin == 0
    ]


def contents(thing: TrashedRange, page: Page) -> tuple[Trashed, ...]:
    """Return what a range stands for, once its page is loaded, in the order of deletion.

    What lies elsewhere is not this partition's to delete, and is passed over. Ranges of an index
    page give ranges of its pages, to be opened in turn. When the page is missing from the store,
    the range has been deleted before.
    """
    assert page.id == thing.page, "not the page of this range"
    rows, wanted = page.rows, thing.offsets
    found: list[Trashed] = []
    for index in range(rows.index_after(wanted.start), len(rows)):
        if rows.start_of(index) >= wanted.end:
            break
        if page.id.level == INDEX_PAGE:
            found.append(_overlap(wanted, ref_of(rows, index).page))
        elif rows.end_of(index) <= wanted.end and rows.start_of(index) >= wanted.start:
            found += trashed((entry_of(rows, index),))
    if wanted.end == page.id.offsets.end:
        found.append(TrashedPage(offsets=page.id.offsets, uid=page.id.uid))
    return tuple(found)


def _overlap(wanted: OffsetRange, page: PageId) -> TrashedRange:
    start = max(wanted.start, page.offsets.start)
    end = min(wanted.end, page.offsets.end)
    return TrashedRange(offsets=OffsetRange(start, end), page=page)


def _until(thing: Trashed, not_before_ms: int) -> Trashed:
    """Return a thing without a lock that ends before it may go anyway."""
    if isinstance(thing, TrashedSegment | TrashedRange) and thing.lock is not None:
        return thing if thing.lock.until_ms > not_before_ms else replace(thing, lock=None)
    return thing


def _is_locked(thing: Trashed) -> bool:
    return isinstance(thing, TrashedSegment | TrashedRange) and thing.lock is not None


def _packed(thing: Trashed, not_before_ms: int) -> bytes:
    kind, fields = _fields(thing)
    if isinstance(thing, TrashedSegment | TrashedRange) and thing.lock is not None:
        kind, fields = _LOCKED[kind], (*fields, thing.lock.until_ms, thing.lock.bytes)
    return _HEAD.pack(kind, not_before_ms) + _BODIES[kind].pack(*fields)


def _fields(thing: Trashed) -> tuple[int, tuple[int | bytes, ...]]:
    match thing:
        case TrashedSegment(offsets=offsets, stamp=stamp, uid=uid):
            times = (stamp.epoch, stamp.claim, stamp.ver)
            return _SEGMENT, (offsets.start, offsets.end, *times, uid)
        case TrashedRoot(stamp=stamp, uid=uid):
            return _ROOT, (stamp.epoch, stamp.claim, stamp.ver, uid)
        case TrashedPage(offsets=offsets, uid=uid):
            return _PAGE, (offsets.start, offsets.end, uid)
        case TrashedRange(offsets=offsets, page=page):
            whole = (page.level, page.offsets.start, page.offsets.end, page.uid, page.sha256)
            return _RANGE, (offsets.start, offsets.end, *whole)


def _thing(kind: int, fields: tuple[Any, ...]) -> Trashed:
    if kind in _UNLOCKED:
        *rest, until_ms, locked_bytes = fields
        thing = _thing(_UNLOCKED[kind], tuple(rest))
        assert isinstance(thing, TrashedSegment | TrashedRange), "only these are ever locked"
        return replace(thing, lock=TrashLock(until_ms, locked_bytes))
    if kind == _SEGMENT:
        base, end, epoch, claim, ver, uid = fields
        stamp = Stamp(LeaderEpoch(epoch), claim, ver)
        return TrashedSegment(offsets=_offsets(base, end), stamp=stamp, uid=Uid(uid))
    if kind == _ROOT:
        epoch, claim, ver, uid = fields
        return TrashedRoot(stamp=Stamp(LeaderEpoch(epoch), claim, ver), uid=Uid(uid))
    if kind == _PAGE:
        first, end, uid = fields
        return TrashedPage(offsets=_offsets(first, end), uid=Uid(uid))
    start, stop, level, first, end, uid, sha256 = fields
    if level not in (ENTRY_PAGE, INDEX_PAGE) or not first <= start < stop <= end:
        raise CorruptObjectError(_WHAT, f"[{start}, {stop}) of a page of level {level}")
    page = PageId(level=level, offsets=_offsets(first, end), uid=Uid(uid), sha256=sha256)
    return TrashedRange(offsets=_offsets(start, stop), page=page)


def _offsets(start: int, end: int) -> OffsetRange:
    if not 0 <= start < end:
        raise CorruptObjectError(_WHAT, f"an item covers [{start}, {end})")
    return OffsetRange(Offset(start), Offset(end))
