"""Whole lives of a manifest, against a list of entries and a set of objects."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
from hypothesis import strategies as st

from everlog.format.entries import Entry, Totals, entry_of
from everlog.format.folding import Folding, folded
from everlog.format.lookup import entries_at, entry_at, entry_at_time
from everlog.format.manifest import append, first_root, settled, without_trash
from everlog.format.object_keys import PartitionPath, RootKey
from everlog.format.page_refs import INDEX_PAGE, PageId, ref_of
from everlog.format.replacing import Replacement, replaced
from everlog.format.retention import Cut, expired, head_of
from everlog.format.root import Root
from everlog.format.root_codec import decode_root, encode_root
from everlog.format.span_table import SpanTable
from everlog.format.trash import Trashed, TrashedRange, contents
from everlog.format.walk import drive
from everlog.model.offsets import LeaderEpoch, Offset
from tests.unit.format.samples import (
    GRACE_MS,
    NOW_MS,
    PATH,
    Pages,
    entry,
    given,
    next_root,
    stamp,
    uid,
    uids,
)

SMALL = Folding(entries=4, small_pages=2, large_pages=2)


class History:
    """A manifest, and what it should say."""

    def __init__(self, seed: int, *, path: PartitionPath = PATH) -> None:
        self.path = path
        self.random = Random(seed)
        self.pages = Pages(path)
        self.fresh = uids()
        self.now_ms = NOW_MS
        self.live: list[Entry] = []
        self.made: set[str] = set()
        self.deleted: set[str] = set()
        self.commits = 0
        self.root = self.first()
        self.commit(self.root)

    def first(self) -> Root:
        """The root that it begins with."""
        start = Offset(self.random.randrange(100))
        return first_root(self.path, uid=uid(-1), stamp=stamp(1), start=start, created_ms=NOW_MS)

    def commit(self, root: Root) -> None:
        """Fold, write and read back."""
        root = settled(root)
        fold = drive(
            folded(root, uids=self.fresh, not_before_ms=self.now_ms + GRACE_MS, folding=SMALL),
            self.pages.load,
        )
        self.pages.put(fold.pages)
        stored = encode_root(fold.root)
        key = stored.ref.key(self.path)
        self.root = decode_root(stored.body, key=key, digest=stored.ref.sha256)
        assert self.root == fold.root
        assert self.root.tiered_start >= root.tiered_start
        self.made |= {key.text, *(page.ref.page.key(self.path).text for page in fold.pages)}
        self.commits += 1

    def successor(self) -> Root:
        return next_root(self.root, self.commits)

    def append(self) -> None:
        root, added = self.successor(), []
        base: int = root.tiered_end
        for _ in range(self.random.randrange(1, 6)):
            end = base + self.random.randrange(1, 10)
            timestamp = self.random.choice([-1, NOW_MS + self.random.randrange(1000)])
            added.append(
                entry(
                    base,
                    end,
                    max_timestamp=timestamp,
                    data_bytes=self.random.randrange(1, 1000),
                    created_ms=NOW_MS + self.random.randrange(1000),
                )
            )
            base = end
        self.live += added
        self.made |= {one.key(self.path).text for one in added}
        self.commit(append(root, added, end_epoch=LeaderEpoch(3)))

    def expire(self) -> None:
        start, end = self.root.tiered_start, self.root.tiered_end
        cut = self.random.choice(
            [
                Cut(start=Offset(self.random.randint(start, min(end, start + 60)))),
                Cut(start=Offset(self.random.randint(start, end))),
                Cut(before_ms=NOW_MS + self.random.randrange(1000)),
                Cut(data_bytes_max=self.random.randrange(self.root.totals.data_bytes + 9)),
                Cut(
                    start=Offset(self.random.randint(start, min(end, start + 20))),
                    before_ms=NOW_MS + self.random.randrange(300),
                    data_bytes_max=self.random.randrange(20_000),
                ),
                Cut(),
            ]
        )
        head = drive(head_of(self.root), self.pages.load)
        assert head.oldest == (self.live[0] if self.live else None)
        assert head.is_taken_by(cut) == bool(self.live and self._goes(cut, self.live[0]))
        while self.live and self._goes(cut, self.live[0]):
            self.live.pop(0)
        walk = expired(self.successor(), cut, not_before_ms=self.now_ms + GRACE_MS)
        self.commit(drive(walk, self.pages.load))
        assert self.root.tiered_start >= min(cut.start, end)

    def _goes(self, cut: Cut, one: Entry) -> bool:
        time = one.max_timestamp if one.max_timestamp >= 0 else one.created_ms
        left = sum(other.data_bytes for other in self.live) - one.data_bytes
        return (
            one.offsets.end <= cut.start
            or (cut.before_ms is not None and time < cut.before_ms)
            or (cut.data_bytes_max is not None and left >= cut.data_bytes_max)
        )

    def replace(self) -> None:
        """Let fewer objects, or more, take the place of some that lie side by side."""
        if not self.live:
            return
        first = self.random.randrange(len(self.live))
        old = self.live[first : first + self.random.choice([1, 2, 3, 8, 40])]
        new = self.rewritten(old)
        if new[0].offsets.end <= self.root.tiered_start:
            new = self.rewritten(old, pieces=1)
        gone = sum(one.records for one in old) - sum(one.records for one in new)
        change = Replacement(old=old, new=new, removed=gone)
        walk = replaced(
            self.successor(), change, uids=self.fresh, not_before_ms=self.now_ms + GRACE_MS
        )
        draft = drive(walk, self.pages.load)
        self.pages.put(draft.pages)
        self.made |= {page.ref.page.key(self.path).text for page in draft.pages}
        self.made |= {one.key(self.path).text for one in new}
        self.live[first : first + len(old)] = new
        self.commit(draft.root)

    def rewritten(self, old: list[Entry], *, pieces: int | None = None) -> list[Entry]:
        start, end = old[0].offsets.start, old[-1].offsets.end
        inside = range(start + 1, end)
        pieces = pieces or self.random.choice([1, 1, 2, 3])
        cuts = self.random.sample(inside, min(len(inside), pieces - 1))
        bounds = [start, *sorted(cuts), end]
        records = sum(one.records for one in old)
        return [
            replace(
                entry(at, to, max_timestamp=max(one.max_timestamp for one in old)),
                uid=next(self.fresh),
                records=records // (len(bounds) - 1),
                created_ms=max(one.created_ms for one in old),
            )
            for at, to in pairwise(bounds)
        ]

    def sweep(self) -> None:
        """Delete what is due, one object after the other, and then forget it."""
        self.now_ms += self.random.randrange(2 * GRACE_MS)
        due = self.root.trash.due(self.now_ms)
        for item in due:
            for name in self.opened(item.thing):
                assert name not in self.deleted
                self.deleted.add(name)
        self.commit(without_trash(self.successor(), range(len(due))))

    def opened(self, thing: Trashed) -> Iterator[str]:
        """Yield the names of the objects that an item of trash stands for."""
        if not isinstance(thing, TrashedRange):
            yield thing.key(self.path).text
            return
        assert thing.page.key(self.path).text not in self.deleted, "deleted before its contents"
        for inner in contents(thing, self.pages.load(thing.page)):
            yield from self.opened(inner)

    def reachable(self, refs: SpanTable, start: int) -> Iterator[PageId]:
        for index in range(refs.index_after(start), len(refs)):
            page = ref_of(refs, index).page
            yield page
            if page.level == INDEX_PAGE:
                yield from self.reachable(self.pages.load(page).rows, start)

    def check(self) -> None:
        root = self.root
        assert root.totals == sum((one.totals for one in self.live), Totals())
        assert root.live_start == (self.live[0].offsets.start if self.live else root.tiered_end)
        greatest = max((one.max_timestamp for one in self.live), default=None)
        assert greatest is None or (root.max_timestamp or 0) >= greatest
        live = {one.key(self.path).text for one in self.live if not one.origin}
        live |= {page.key(self.path).text for page in self.reachable(root.refs, root.live_start)}
        live.add(RootKey(path=self.path, stamp=root.stamp, uid=root.uid).text)
        trash = [name for item in root.trash.items() for name in self.opened(item.thing)]
        assert len(set(trash)) == len(trash)
        assert live.isdisjoint(trash)
        assert self.deleted.isdisjoint(live)
        assert self.deleted.isdisjoint(trash)
        assert live.union(trash, self.deleted) == self.made

    def check_lookups(self) -> None:
        root = self.root
        for offset in self.random.choices(range(root.tiered_start - 2, root.tiered_end + 2), k=9):
            wanted = [one for one in self.live if offset in one.offsets]
            found = drive(entry_at(root, Offset(offset)), self.pages.load)
            if root.tiered_start <= offset < root.tiered_end:
                assert found == wanted[0]
            else:
                assert found is None
        for timestamp in self.random.choices(range(NOW_MS - 2, NOW_MS + 1002), k=9):
            start = self.random.choice([None, Offset(self.random.randint(0, root.tiered_end))])
            least = max(start or 0, root.tiered_start)
            late = (one for one in self.live if one.max_timestamp >= timestamp)
            wanted = [one for one in late if one.offsets.end > least]
            found = drive(entry_at_time(root, timestamp, start=start), self.pages.load)
            assert found == (wanted[0] if wanted else None)

    def listed(self) -> list[Entry]:
        """All live entries, read table by table as a scan does."""
        found, offset = [], self.root.tiered_start
        while offset < self.root.tiered_end:
            table = drive(entries_at(self.root, offset), self.pages.load)
            first = table.index_after(offset)
            found += [entry_of(table, index) for index in range(first, len(table))]
            offset = Offset(table.end)
        return found


@pytest.mark.rule("TIER-2")
@pytest.mark.rule("TIER-8")
@pytest.mark.rule("TIER-10")
@pytest.mark.rule("TIER-13")
@given(st.integers(0, 2**32), st.lists(st.sampled_from("aaaaaerrs"), max_size=40), examples=40)
def test_every_object_is_live_or_in_the_trash_or_deleted_and_lookups_find_the_live(
    seed: int, steps: list[str]
) -> None:
    history = History(seed)
    actions = {
        "a": history.append,
        "e": history.expire,
        "r": history.replace,
        "s": history.sweep,
    }
    for step in steps:
        actions[step]()
        history.check()
        history.check_lookups()
    assert history.listed() == history.live


@pytest.mark.parametrize("seed", range(4))
def test_a_long_life_of_replacing_keeps_the_books_straight(seed: int) -> None:
    history = History(seed)
    actions = [history.append, history.replace, history.expire, history.sweep]
    for action in history.random.choices(actions, weights=[6, 3, 1, 1], k=60):
        action()
        history.check()
    history.check_lookups()
    assert history.listed() == history.live


def test_a_long_life_uses_every_kind_of_page() -> None:
    history = History(7)
    for step in range(120):
        history.append()
        if step % 10 == 9:
            history.replace()
            history.sweep()
            history.check()
    levels = set(history.root.refs.rows.ints("level"))
    assert levels == {1, 2}
    assert history.listed() == history.live
    while history.live:
        history.expire()
        history.check()
    history.now_ms += 3 * GRACE_MS
    history.sweep()
    history.check()
    assert len(history.root.trash) == 1, "the root before this one"
