"""A partition of thirty thousand objects: two terabytes at 64 MiB each."""

import gc
import tracemalloc
from random import Random

import pytest

from everlog.format.entries import Entry
from everlog.format.folding import folded
from everlog.format.lookup import entry_at, entry_at_time
from everlog.format.manifest import append, first_root, without_trash
from everlog.format.page import Page
from everlog.format.page_refs import PageId
from everlog.format.retention import Cut, expired
from everlog.format.root import Root
from everlog.format.root_codec import decode_root, encode_root
from everlog.format.walk import drive
from everlog.model.offsets import LeaderEpoch, Offset
from tests.unit.format.samples import NOW_MS, PATH, Pages, entries, stamp, uid, uids

COUNT = 30_000
HEAP_BYTES_MAX = 64 << 10


class CachedPages(Pages):
    """Loads each page once, as a broker with room for all of them would."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: dict[PageId, Page] = {}

    def cached(self, page: PageId) -> Page:
        if page not in self.loaded:
            self.loaded[page] = self.load(page)
        return self.loaded[page]


@pytest.fixture(scope="module")
def listed() -> list[Entry]:
    random = Random(9)
    return entries(9, [random.randrange(1, 1000) for _ in range(COUNT)])


@pytest.fixture(scope="module")
def pages() -> CachedPages:
    return CachedPages()


@pytest.fixture(scope="module")
def root(listed: list[Entry], pages: CachedPages) -> Root:
    root = first_root(PATH, uid=uid(-1), stamp=stamp(1), start=Offset(0), created_ms=NOW_MS)
    fresh = uids(10_000_000)
    for at in range(0, COUNT, 500):
        root = append(root, listed[at : at + 500], end_epoch=LeaderEpoch(3))
        fold = drive(folded(root, uids=fresh, not_before_ms=0), pages.cached)
        pages.put(fold.pages)
        root = without_trash(fold.root, range(len(fold.root.trash)))
    return root


@pytest.mark.rule("BP-D11")
def test_the_heap_of_a_root_does_not_grow_with_the_objects(root: Root) -> None:
    assert root.totals.entries == COUNT
    stored = encode_root(root)
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    held = decode_root(stored.body, key=stored.ref.key(PATH), digest=stored.ref.sha256)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held == root
    assert after - before < HEAP_BYTES_MAX
    assert len(stored.body) < HEAP_BYTES_MAX


@pytest.mark.rule("TIER-40")
def test_every_object_is_found_by_its_offsets(
    root: Root, listed: list[Entry], pages: CachedPages
) -> None:
    for one in listed[::97]:
        for offset in (one.offsets.start, one.offsets.end - 1):
            assert drive(entry_at(root, Offset(offset)), pages.cached) == one


def test_times_are_found_in_objects_whose_times_go_back_and_forth(
    root: Root, listed: list[Entry], pages: CachedPages
) -> None:
    random = Random(3)
    for _ in range(300):
        timestamp = NOW_MS + random.randrange(-1_000_100, 1_000_100)
        wanted = next((one for one in listed if one.max_timestamp >= timestamp), None)
        assert drive(entry_at_time(root, timestamp), pages.cached) == wanted


@pytest.mark.rule("TIER-50")
def test_most_of_a_large_manifest_expires_in_one_commit_that_reads_one_page(
    root: Root, listed: list[Entry], pages: Pages
) -> None:
    pages.loads = 0
    start = listed[27_001].offsets.start
    after = drive(expired(root, Cut(start=start), not_before_ms=0), pages.load)
    assert after.totals.entries == COUNT - 27_001
    assert after.live_start == start
    assert pages.loads == 1
    assert len(after.trash) < 30
    assert len(encode_root(after).body) < HEAP_BYTES_MAX
