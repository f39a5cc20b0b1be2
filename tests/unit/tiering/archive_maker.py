"""Archives of partitions, put straight into a store: objects, roots and pages, as brokers do it."""

from collections.abc import Iterator
from copy import copy
from hashlib import sha256

from everlog.format.entries import Entry
from everlog.format.folding import folded
from everlog.format.manifest import append, first_root, successor, upgraded
from everlog.format.object_keys import PartitionPath, SegmentKey, Stamp, Uid
from everlog.format.page import Page
from everlog.format.page_refs import PageId
from everlog.format.retention import Cut, expired
from everlog.format.root import INLINE_ENTRIES_MAX, INLINE_FORMAT, Root, RootRef
from everlog.format.root_codec import encode_root
from everlog.format.segment_object import SegmentBuilder
from everlog.format.segment_sections import EpochStart
from everlog.format.walk import drive_async
from everlog.model.offsets import LeaderEpoch, Offset, OffsetRange
from everlog.stores.object_key import ObjectKey, object_key
from everlog.stores.object_store import ObjectStore
from service.tiering.manifest_store import ManifestStore
from tests.unit.format.samples import GRACE_MS, NOW_MS
from tests.unit.format.segments import Batch, batch_bytes, rows_of

FORKED_FROM = 1_000_000
"""Numbers of uids that nobody else gets to."""


class ArchiveMaker:
    """One partition whose archive grows; every call of `add` is a commit.

    Attributes:
        now_ms: The clock, moved by the test.
        epoch: Of the leader; a new claim comes with each.
        keys: Of all objects that were added.
    """

    def __init__(self, store: ObjectStore, path: PartitionPath) -> None:
        self.path = path
        self.now_ms = NOW_MS
        self.epoch = 1
        self.keys: list[SegmentKey] = []
        self.roots: list[ObjectKey] = []
        self.root: Root | None = None
        self._ref: RootRef | None = None
        self._store = store
        self._manifests = ManifestStore(store)
        self._lineage = [EpochStart(LeaderEpoch(1), Offset(0))]
        self._uids = self._make_uids()

    @property
    def end(self) -> int:
        return 0 if self.root is None else self.root.tiered_end

    @property
    def stamp(self) -> Stamp:
        """Of the next commit."""
        ver = 0 if self.root is None else self.root.stamp.ver
        return Stamp(LeaderEpoch(self.epoch), self.epoch, ver + 1)

    def fork(self) -> "ArchiveMaker":
        """Return who goes on from here as if what this one adds next had never been committed."""
        other = copy(self)
        other.keys, other.roots = [*self.keys], [*self.roots]
        other._lineage = [*self._lineage]
        other._uids = self._make_uids(first=FORKED_FROM)
        return other

    def claim(self) -> None:
        """Go on as another leader."""
        self.epoch += 1
        self._lineage.append(EpochStart(LeaderEpoch(self.epoch), Offset(self.end)))

    async def upload(self, *, base: int, records: int = 10, value_bytes: int = 50) -> Entry:
        """Put an object that no commit names."""
        key = SegmentKey(
            path=self.path,
            offsets=OffsetRange(Offset(base), Offset(base + records)),
            stamp=self.stamp,
            uid=next(self._uids),
        )
        times = [self.now_ms] * records
        data = batch_bytes(
            Batch(base_offset=base, timestamps=times, value_bytes=value_bytes, epoch=self.epoch)
        )
        builder = SegmentBuilder(key, created_ms=self.now_ms)
        builder.feed(rows_of(data), data)
        sealed = builder.seal(lineage=self._lineage)
        await self._store.create(object_key(key.text), data + sealed.tail)
        self.keys.append(key)
        return sealed.entry

    async def add(self, count: int = 1, *, records: int = 10) -> None:
        """Upload objects and commit them, all at once."""
        entries, at = [], self.end
        for _ in range(count):
            entries.append(await self.upload(base=at, records=records))
            at = entries[-1].offsets.end
        root = self._next()
        if len(root.entries) + count > INLINE_ENTRIES_MAX:
            root = upgraded(root)
        await self._commit(append(root, entries, end_epoch=LeaderEpoch(self.epoch)))

    async def expire_to(self, start: int) -> None:
        """Commit that records below an offset have expired."""
        cut = Cut(start=Offset(start))
        root = expired(self._next(), cut, not_before_ms=self.now_ms + GRACE_MS)
        await self._commit(await drive_async(root, self._page))

    async def _commit(self, root: Root) -> None:
        done = await drive_async(
            folded(root, uids=self._uids, not_before_ms=self.now_ms + GRACE_MS), self._page
        )
        encoded = encode_root(done.root)
        await self._manifests.put(done.root, encoded, done.pages)
        self.root, self._ref = done.root, encoded.ref
        self.roots.append(object_key(encoded.ref.key(self.path).text))

    async def _page(self, page: PageId) -> Page:
        return await self._manifests.page(self.path, page)

    def _next(self) -> Root:
        if self.root is None or self._ref is None:
            return first_root(
                self.path,
                uid=next(self._uids),
                stamp=self.stamp,
                start=Offset(0),
                created_ms=self.now_ms,
                root_format=INLINE_FORMAT,
            )
        return successor(
            self.root,
            self._ref,
            uid=next(self._uids),
            stamp=self.stamp,
            created_ms=self.now_ms,
            not_before_ms=self.now_ms + GRACE_MS,
        )

    def _make_uids(self, *, first: int = 0) -> Iterator[Uid]:
        number = first
        while True:
            number += 1
            yield Uid(sha256(f"{self.path.prefix}{number}".encode()).digest()[:16])
