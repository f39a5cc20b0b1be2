import gc
import tracemalloc
from random import Random

import pytest

from everlog.format.entries import entry_table
from everlog.format.manifest import append, first_root
from everlog.format.page import Page, decode_page, new_page
from everlog.format.page_refs import ENTRY_PAGE
from everlog.format.root_codec import decode_root, encode_root
from everlog.model.offsets import LeaderEpoch, Offset
from service.tiering.manifest_cache import ManifestCache, held_bytes
from tests.unit.format.samples import NOW_MS, PATH, entries, stamp, uid


def page(number: int, *, count: int = 512) -> Page:
    table = entry_table(0, entries(number, [10] * count))
    made = new_page(PATH, table, level=ENTRY_PAGE, uid=uid(number))
    return decode_page(made.body, made.ref.page, path=PATH)


def test_what_was_used_longest_ago_goes_first() -> None:
    pages = [page(number) for number in range(4)]
    cache = ManifestCache(bytes_max=3 * held_bytes(pages[0]))
    for each in pages[:3]:
        cache.put(each.id.uid, each)
    assert cache.get(uid(0)) is pages[0]
    cache.put(uid(3), pages[3])
    assert [cache.get(uid(number)) for number in range(4)] == [pages[0], None, pages[2], pages[3]]
    assert cache.bytes == sum(held_bytes(each) for each in (pages[0], pages[2], pages[3]))


def test_what_came_last_stays_even_if_it_alone_is_too_large() -> None:
    cache = ManifestCache(bytes_max=10)
    for number in range(3):
        cache.put(uid(number), page(number))
    assert [uid(number) in cache for number in range(3)] == [False, False, True]


def test_what_is_dropped_or_put_again_is_not_counted_twice() -> None:
    cache = ManifestCache()
    for _ in range(2):
        cache.put(uid(1), page(1))
    cache.drop(uid(1))
    cache.drop(uid(1))
    assert (uid(1) in cache, cache.bytes) == (False, 0)


@pytest.mark.parametrize("count", [10, 4096])
def test_pages_and_roots_take_about_as_much_memory_as_is_counted(count: int) -> None:
    random = Random(1)
    listed = entries(1, [random.randrange(1, 100) for _ in range(min(count, 512))])
    root = first_root(PATH, uid=uid(-1), stamp=stamp(1), start=Offset(0), created_ms=NOW_MS)
    stored = encode_root(append(root, listed, end_epoch=LeaderEpoch(3)))
    table = entry_table(0, entries(2, [10] * count))
    made = new_page(PATH, table, level=ENTRY_PAGE, uid=uid(2))
    del listed, table, root
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    kept = (
        decode_root(stored.body, key=stored.ref.key(PATH), digest=stored.ref.sha256),
        decode_page(made.body, made.ref.page, path=PATH),
    )
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    counted = sum(held_bytes(each) for each in kept)
    assert 0.5 * counted < after - before < 1.1 * counted
