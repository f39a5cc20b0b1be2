"""Works out the tier of one partition from what is in the store, without copying any of it.

Where a new root is needed it is stored only once the restored cluster has the store: it is above
all others, and must not be found while those who had the store before still go on.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from everlog.format.cover import Cover, SegmentFile, cover
from everlog.format.footer import NeedMore
from everlog.format.manifest import first_root
from everlog.format.object_keys import LatestKey, PartitionPath, Stamp, Uid
from everlog.format.origins import Origin
from everlog.format.page import NewPage
from everlog.format.pointer import POINTER_BYTES_MAX, Pointer, decode_pointer, pointer_to
from everlog.format.recovery import RootPlan, rebuilt_root, renewed_root
from everlog.format.root import INLINE_FORMAT, Root
from everlog.format.root_codec import EncodedRoot, encode_root
from everlog.format.segment_index import SegmentIndex, open_segment
from everlog.model.clock import Clock, IdSource
from everlog.model.errors import CorruptionError
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.stores.errors import ObjectMissingError
from everlog.stores.object_key import object_key
from everlog.stores.object_store import ObjectStore
from service.tiering.archive_listing import FoundRoot
from service.tiering.manifest_store import ManifestStore
from service.tiering.partition_names import PartitionNames
from service.tiering.root_search import RootSearch

RETIRED_MS = 3_600_000
"""How long a root stays that a restore replaces: the default of ``archive.reader.grace.ms``."""

SUFFIX_BYTES = 64 << 10
"""The end of an object is read up to here; 64 MiB in batches of 16 KiB have indexes of 52 KB."""

FOOTERS_AT_ONCE_MAX = 8
"""Objects of one partition whose ends are read side by side."""


_FIRST = Offset(0)


class Source(Enum):
    """What a partition was restored from."""

    NEWEST = "newest root"
    EARLIER = "earlier root"
    OBJECTS = "segment objects"
    HINT = "hint of its end"
    NOTHING = "nothing archived"
    LATER = "began later"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRoot:
    """A root that is still to be stored, after its pages."""

    root: Root
    encoded: EncodedRoot
    pages: Sequence[NewPage] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredTier:
    """The tier of a partition as it goes on.

    Attributes:
        epoch: The leader epoch that the partition has had at least.
        pointer: None if it has no tier yet.
        objects: Live ones.
        records: In them.
        new_root: What the pointer names, if it is not there yet.
        origins: Whose objects it lists besides its own.
        notes: What is not as it should be.
    """

    path: PartitionPath
    epoch: LeaderEpoch
    pointer: Pointer | None
    source: Source
    objects: int = 0
    records: int = 0
    new_root: NewRoot | None = None
    origins: Sequence[Origin] = ()
    notes: Sequence[str] = ()

    @property
    def has_records(self) -> bool:
        """Whether anything was archived by the time that is restored, be it expired by now."""
        return self.source not in {Source.NOTHING, Source.LATER}


class PartitionRestore:
    """Restores partitions; any number of them side by side.

    Args:
        at_ms: Restore what was committed by then; None for the newest.
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        clock: Clock,
        ids: IdSource,
        at_ms: int | None = None,
    ) -> None:
        self._store = store
        self._manifests = ManifestStore(store)
        self._clock = clock
        self._ids = ids
        self._at_ms = at_ms

    async def finish(self, tier: RestoredTier) -> None:
        """Store the root that a tier needs, if it needs one; safe to repeat.

        Raises:
            StoreUnavailableError: The outcome is unknown.
        """
        new = tier.new_root
        if new is not None:
            await self._manifests.put(new.root, new.encoded, new.pages)

    async def restore(self, names: PartitionNames, *, pinned: Uid | None = None) -> RestoredTier:
        """Work out the tier of a partition; nothing is stored.

        Args:
            names: Of its objects.
            pinned: The root to go back to; if it is not whole, or None, it is searched for.

        Raises:
            CorruptionError: Nothing of it can be read.
            RejectedError: Its objects are of a newer Everlog, or the store refuses.
            RetriableError: The store did not answer.
        """
        if names.is_empty:
            return await self._from_hint(names)
        above = names.stamp_above()
        search = RootSearch(names, store=self._store, manifests=self._manifests)
        found = None if pinned is None else await search.pinned(pinned)
        if found is None:
            found = await search.newest(at_ms=self._at_ms)
        if found is not None:
            return await self._from_root(names, found, above, search.faults)
        if self._at_ms is not None and names.roots and not search.faults:
            return self._empty(names, above, Source.LATER)
        return await self._from_objects(names, above, search.faults)

    async def _from_root(
        self, names: PartitionNames, found: FoundRoot, above: Stamp, faults: Sequence[str]
    ) -> RestoredTier:
        root, ref = found.root, found.ref
        later = [
            each
            for each in names.roots
            if each.stamp > root.stamp or each.stamp.ver > root.stamp.ver
        ]
        if later:
            # Later commits must count as orphans, and not as a sign that the pointer went back.
            root = renewed_root(root, ref, plan=self._plan(names.path, above))
            new = NewRoot(root=root, encoded=encode_root(root))
            return _tier(new, Source.EARLIER, faults)
        owner = Stamp(above.epoch, above.claim, root.stamp.ver)
        return RestoredTier(
            path=names.path,
            epoch=above.epoch,
            pointer=pointer_to(root, ref, owner=owner),
            source=Source.NEWEST,
            objects=root.totals.entries,
            records=root.totals.records,
            origins=root.origins,
            notes=tuple(faults),
        )

    async def _from_objects(
        self, names: PartitionNames, above: Stamp, faults: Sequence[str]
    ) -> RestoredTier:
        covered, opened, damaged = await self._readable_cover(names)
        notes = [*faults, *damaged, *_left_out(covered)]
        if not opened:
            if faults or damaged:
                # Without a tier its offsets would begin again, and others stand there already.
                raise CorruptionError(f"nothing of {names.path.prefix} can be read: {notes[0]}")
            return self._empty(names, above, Source.LATER, notes)
        plan = self._plan(names.path, above)
        end_epoch = opened[-1].meta.end_epoch
        made = rebuilt_root([each.entry() for each in opened], end_epoch=end_epoch, plan=plan)
        new = NewRoot(root=made.root, encoded=encode_root(made.root), pages=made.pages)
        return _tier(new, Source.OBJECTS, notes)

    async def _from_hint(self, names: PartitionNames) -> RestoredTier:
        """Go on where the tier has ended, if that is all that is left: the rest may have expired.

        Without a tier its offsets would begin again.
        """
        if not names.has_hint:
            above = names.stamp_above()
            return RestoredTier(
                path=names.path, epoch=above.epoch, pointer=None, source=Source.NOTHING
            )
        key = object_key(LatestKey(path=names.path).text)
        hint = decode_pointer(await self._store.read_all(key, size_max=POINTER_BYTES_MAX))
        above = names.stamp_above(hint.stamp)
        note = f"nothing is left but the hint that it has ended at {hint.tiered_end}"
        return self._empty(names, above, Source.HINT, [note], start=hint.tiered_end)

    def _empty(
        self,
        names: PartitionNames,
        above: Stamp,
        source: Source,
        notes: Sequence[str] = (),
        *,
        start: Offset = _FIRST,
    ) -> RestoredTier:
        """Return a tier that begins now; what others have committed in it are orphans."""
        plan = self._plan(names.path, above)
        root = first_root(
            plan.path,
            uid=next(plan.uids),
            stamp=plan.stamp,
            start=start,
            created_ms=plan.created_ms,
            root_format=INLINE_FORMAT,
        )
        return _tier(NewRoot(root=root, encoded=encode_root(root)), source, notes)

    async def _readable_cover(
        self, names: PartitionNames
    ) -> tuple[Cover, list[SegmentIndex], list[str]]:
        """Choose the objects of the log among those whose ends can be read."""
        files = dict(names.segments)
        known: dict[Uid, SegmentIndex] = {}
        damaged: list[str] = []
        while True:
            covered = cover(files.values())
            unread = [each for each in covered.chosen if each.key.uid not in known]
            bad = 0
            for first in range(0, len(unread), FOOTERS_AT_ONCE_MAX):
                some = unread[first : first + FOOTERS_AT_ONCE_MAX]
                for file, index in zip(some, await self._open_all(some), strict=True):
                    if isinstance(index, SegmentIndex):
                        known[file.key.uid] = index
                    else:
                        damaged.append(f"{file.key.text}: {index}")
                        del files[file.key.uid]
                        bad += 1
            if not bad:
                opened = [known[each.key.uid] for each in covered.chosen]
                return covered, self._made_by_then(opened), damaged

    def _made_by_then(self, opened: list[SegmentIndex]) -> list[SegmentIndex]:
        at_ms = self._at_ms
        if at_ms is None:
            return opened
        late = (place for place, each in enumerate(opened) if each.meta.created_ms > at_ms)
        return opened[: next(late, len(opened))]

    async def _open_all(self, files: Sequence[SegmentFile]) -> list[SegmentIndex | str]:
        return await asyncio.gather(*(self._open(each) for each in files))

    async def _open(self, file: SegmentFile) -> SegmentIndex | str:
        """Return the indexes of an object, or what is wrong with it."""
        key = object_key(file.key.text)
        wanted = min(file.size, SUFFIX_BYTES)
        try:
            while True:
                suffix = await self._store.read(key, file.size - wanted, wanted) if wanted else b""
                found = open_segment(suffix, object_bytes=file.size, key=file.key)
                if isinstance(found, SegmentIndex):
                    return found
                assert isinstance(found, NeedMore), "it is one or the other"
                wanted = found.suffix_bytes
        except (ObjectMissingError, CorruptionError) as error:
            return str(error)

    def _plan(self, path: PartitionPath, stamp: Stamp) -> RootPlan:
        now_ms = self._clock.wall_ms()
        return RootPlan(
            path=path,
            stamp=stamp,
            uids=self._uids(),
            created_ms=now_ms,
            not_before_ms=now_ms + RETIRED_MS,
        )

    def _uids(self) -> Iterator[Uid]:
        while True:
            yield Uid(self._ids.uuid())


def _tier(new: NewRoot, source: Source, notes: Sequence[str]) -> RestoredTier:
    root = new.root
    return RestoredTier(
        path=root.path,
        epoch=root.stamp.epoch,
        pointer=pointer_to(root, new.encoded.ref),
        source=source,
        objects=root.totals.entries,
        records=root.totals.records,
        new_root=new,
        origins=root.origins,
        notes=tuple(notes),
    )


def _left_out(covered: Cover) -> list[str]:
    return [
        f"left out: {each.key.text}, offsets {each.key.offsets.start} to {each.key.offsets.end}; "
        "copy it away within archive.orphan.grace.ms if it is wanted"
        for each in covered.beyond
    ]
