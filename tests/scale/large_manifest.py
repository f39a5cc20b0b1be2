"""A tier of very many objects, none of which was ever written: its manifest alone is real.

The rows come as whole columns, most of them as pages of the size that small ones are merged to;
the newest of them, and everything else, as a broker does it for every 512 commits.
"""

from array import array
from dataclasses import dataclass, replace
from itertools import accumulate
from operator import add
from random import Random

from everlog.format.column_table import ColumnTable
from everlog.format.entries import ENTRY_LAYOUT, entry_table, entry_totals
from everlog.format.folding import folded
from everlog.format.manifest import checked, first_root, without_trash
from everlog.format.object_keys import PartitionPath, Stamp, Uid
from everlog.format.page import PAGE_ROWS_MAX, NewPage, decode_page, new_page
from everlog.format.page_refs import ENTRY_PAGE, ref_table
from everlog.format.root import INLINE_ENTRIES_MAX, Root, RootRef
from everlog.format.root_codec import encode_root
from everlog.format.span_table import SpanTable
from everlog.format.walk import drive
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.stores.object_key import object_key
from everlog.stores.object_store import ObjectStore

STAMP = Stamp(LeaderEpoch(1), 1, 1)
BEGAN_MS = 1_600_000_000_000
STEP_MS = 1000
DATA_BYTES = 64 << 20
INDEX_BYTES = 100 << 10
_NEWEST = 30_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeManifest:
    """A root that is in the store with all its pages, and what it should lead to.

    Attributes:
        ends: Where each object ends.
        times: Greatest timestamp of each.
    """

    root: Root
    ref: RootRef
    ends: "array[int]"
    times: "array[int]"


async def build(store: ObjectStore, path: PartitionPath, *, entries: int) -> LargeManifest:
    """Store a manifest of so many objects."""
    random = Random(9)
    ends, times = array("q"), array("q")
    root = first_root(
        path, uid=_uid(random), stamp=STAMP, start=Offset(0), created_ms=BEGAN_MS, root_format=2
    )
    waiting: dict[bytes, NewPage] = {}
    while len(ends) < entries:
        left = entries - len(ends)
        is_old = left > _NEWEST
        added = rows(
            root.tiered_end,
            len(ends),
            PAGE_ROWS_MAX if is_old else min(INLINE_ENTRIES_MAX, left),
            random,
        )
        ends.extend(added.rows.ints("end"))
        times.extend(added.rows.ints("max_timestamp"))
        if is_old:
            page = new_page(path, added, level=ENTRY_PAGE, uid=_uid(random))
            await store.create(object_key(page.ref.page.key(path).text), page.body)
            root = _paged(root, page)
        else:
            root = appended(root, added)
        root = await _folded(store, root, waiting, random)
    for page in waiting.values():
        await store.create(object_key(page.ref.page.key(path).text), page.body)
    encoded = encode_root(root)
    await store.create(object_key(encoded.ref.key(path).text), encoded.body)
    return LargeManifest(root=root, ref=encoded.ref, ends=ends, times=times)


def rows(base: int, first: int, count: int, random: Random) -> SpanTable:
    """Make entries that go on at ``base``; their times rise, but for some jitter."""
    created = range(BEGAN_MS + STEP_MS * first, BEGAN_MS + STEP_MS * (first + count), STEP_MS)
    lengths = (1 + byte for byte in random.randbytes(count))
    jitter_ms = array("H", random.randbytes(2 * count))
    columns = {
        "end": array("q", accumulate(lengths, initial=base))[1:],
        "max_timestamp": array("q", map(add, created, jitter_ms)),
        "size_bytes": array("Q", [DATA_BYTES + INDEX_BYTES]) * count,
        "data_bytes": array("Q", [DATA_BYTES]) * count,
        "records": array("Q", [1000]) * count,
        "ver": array("Q", [STAMP.ver]) * count,
        "created_ms": array("q", created),
        "uid": random.randbytes(16 * count),
        "epoch": array("I", [STAMP.epoch]) * count,
        "claim": array("I", [STAMP.claim]) * count,
        "crc32c": random.randbytes(4 * count),
        "flags": array("I", [0]) * count,
        "locked_until_ms": array("q", [0]) * count,
    }
    data = b"".join(bytes(columns[each.name]) for each in ENTRY_LAYOUT.columns)
    return SpanTable(base=base, rows=ColumnTable.of_bytes(ENTRY_LAYOUT, data, "rows"))


def appended(root: Root, added: SpanTable) -> Root:
    """Do what `everlog.format.manifest.append` does, without a value for each row."""
    return checked(
        replace(
            root,
            tiered_end=Offset(added.end),
            tiered_end_epoch=STAMP.epoch,
            totals=root.totals + entry_totals(added),
            entries=root.entries.joined(added),
        )
    )


def _paged(root: Root, page: NewPage) -> Root:
    """Add a page to a root whose entries are all in pages."""
    end = page.ref.page.offsets.end
    return checked(
        replace(
            root,
            tiered_end=end,
            tiered_end_epoch=STAMP.epoch,
            totals=root.totals + page.ref.totals,
            refs=root.refs.joined(ref_table(page.ref.page.offsets.start, (page.ref,))),
            entries=entry_table(end, ()),
        )
    )


async def _folded(
    store: ObjectStore, root: Root, waiting: dict[bytes, NewPage], random: Random
) -> Root:
    """Fold a root and store its new pages; small ones wait until it is sure that they stay."""
    fold = drive(
        folded(root, uids=iter(lambda: _uid(random), None), not_before_ms=0),
        lambda page: decode_page(waiting[page.uid].body, page, path=root.path),
    )
    for uid in fold.root.trash.uids():
        del waiting[uid]
    for new in fold.pages:
        page = new.ref.page
        if page.level == ENTRY_PAGE and new.ref.totals.entries <= INLINE_ENTRIES_MAX:
            waiting[page.uid] = new
        else:
            await store.create(object_key(page.key(root.path).text), new.body)
    return without_trash(fold.root, range(len(fold.root.trash)))


def _uid(random: Random) -> Uid:
    return Uid(random.randbytes(16))
