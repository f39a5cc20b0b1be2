"""The tier of one partition in this term: what is committed, and how it changes.

One actor per partition changes it; readers see the committed state only, which is replaced as a
whole.
"""

from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import structlog
from typing_extensions import override

from everlog.format.cloning import cloned_root
from everlog.format.folding import folded
from everlog.format.manifest import (
    Draft,
    append,
    first_root,
    settled,
    skipped,
    successor,
    upgraded,
    without_trash,
)
from everlog.format.object_keys import PartitionPath, Stamp, Uid
from everlog.format.page import NewPage, Page, decode_page
from everlog.format.page_refs import PageId
from everlog.format.pointer import Pointer, committed
from everlog.format.recovery import RootPlan
from everlog.format.replacing import Replacement, replaced
from everlog.format.retention import Cut, TierHead, expired, head_of
from everlog.format.root import INLINE_ENTRIES_MAX, INLINE_FORMAT, Root, RootRef
from everlog.format.root_codec import EncodedRoot, encode_root
from everlog.format.walk import drive_async
from everlog.model.clock import Clock, IdSource
from everlog.model.errors import RejectedError, RetriableError
from everlog.model.offsets import LeaderEpoch, Offset
from service.model.setting_type import LONG_MAX
from service.tiering.authority import Authority, Held
from service.tiering.manifest_store import ManifestStore
from service.tiering.stats import TierStats
from service.tiering.tier_view import TierView
from service.tiering.uploader import Uploaded

_log = structlog.get_logger(__name__)

LoadPage = Callable[[PageId], Awaitable[Page]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """Records below ``to`` that went before they were uploaded (TIER-49)."""

    to: Offset
    end_epoch: LeaderEpoch


@dataclass(frozen=True, slots=True, kw_only=True)
class TierChange:
    """What one commit does.

    Attributes:
        uploaded: Objects that continue the tier, in order.
        cut: What has expired.
        skip: Where the tier goes on when it has fallen behind the start of the log.
        replacement: Objects that take the place of others.
        trash_gone: Items of trash, by their places, that are no longer in the store.
    """

    uploaded: Sequence[Uploaded] = ()
    cut: Cut = field(default_factory=Cut)
    skip: Skip | None = None
    replacement: Replacement | None = None
    trash_gone: Collection[int] = ()


class PartitionTier(TierView):
    """A claimed tier. At rest it holds its pointer; its manifest is kept only while there is room.

    Args:
        grace_ms: How long retired objects stay for those who still read them.

    Attributes:
        head: What goes first, so that nobody has to read the manifest to know that nothing has
            expired; None until somebody has asked for it.
        trash_from_ms: When there is something to delete that is worth a commit; None if there is
            nothing, or if the root has not been read yet.
        locked_trash_bytes: Of what is retired and was locked for longer than its grace.
    """

    def __init__(
        self,
        held: Held,
        *,
        path: PartitionPath,
        authority: Authority,
        manifests: ManifestStore,
        clock: Clock,
        ids: IdSource,
        stats: TierStats,
        grace_ms: int,
    ) -> None:
        super().__init__(path, manifests=manifests)
        self.head: TierHead | None = None
        self.trash_from_ms: int | None = None
        self.locked_trash_bytes = 0
        self._seen: RootRef | None = None
        self._held = held
        self._authority = authority
        self._clock = clock
        self._ids = ids
        self._stats = stats
        self._grace_ms = grace_ms

    @property
    @override
    def pointer(self) -> Pointer:
        """What the metadata store holds."""
        return self._held.pointer

    @property
    def next_stamp(self) -> Stamp:
        """The stamp of the next commit, and of the objects that are made for it."""
        stamp = self.pointer.stamp
        return Stamp(stamp.epoch, stamp.claim, stamp.ver + 1)

    async def find_head(self) -> TierHead | None:
        """Look up `head`, in at most three objects of the store; raises like `root`."""
        root = await self.root()
        if root is not None:
            self.head = await drive_async(head_of(root), self.page)
        return self.head

    async def commit(self, change: TierChange) -> bool:
        """Make a change part of the tier; return whether there was anything to change.

        Raises:
            TierFencedError: Somebody else owns the tier now; nothing was changed.
            NotContiguousError: An object does not begin where the tier ends.
            StaleRewriteError: What is to be replaced is not listed any more.
            RetriableError: The outcome is unknown; repeating the same change is safe, since a
                commit that did arrive is found again.
        """
        before = await self.root()
        draft = await self._changed(before, change)
        if draft is None:
            return False
        draft = replace(draft, root=settled(draft.root))
        load = self._among(draft.pages)
        head = await self._head_after(before, draft.root, change, load)
        making = await drive_async(
            folded(draft.root, uids=self._uids(), not_before_ms=self._not_before_ms()), load
        )
        encoded = encode_root(making.root)
        await self._manifests.put(making.root, encoded, (*draft.pages, *making.pages))
        await self._move(making.root, encoded)
        self.head = head
        return True

    async def begin_as_clone(self, source: Root) -> None:
        """Make the first commit list what another partition's root does; raises like `commit`."""
        assert self.pointer.root is None, "this tier has begun already"
        plan = RootPlan(
            path=self.path,
            stamp=self.next_stamp,
            uids=self._uids(),
            created_ms=self._clock.wall_ms(),
            not_before_ms=self._not_before_ms(),
        )
        load = partial(self._manifests.page, source.path)
        draft = await drive_async(cloned_root(source, plan=plan), load)
        encoded = encode_root(draft.root)
        await self._manifests.put(draft.root, encoded, draft.pages)
        await self._move(draft.root, encoded)

    async def _changed(self, before: Root | None, change: TierChange) -> Draft | None:
        """Return the root after a change; None if it would be as it is."""
        root = self._next_root(before)
        cut = await drive_async(
            expired(root, change.cut, not_before_ms=self._not_before_ms()), self.page
        )
        is_cut = cut.tiered_start > root.tiered_start or cut.live_start > root.live_start
        asked = change.uploaded or change.skip or change.replacement or change.trash_gone
        if not (is_cut or asked):
            return None
        root = without_trash(cut, change.trash_gone) if change.trash_gone else cut
        if change.skip is not None:
            root = skipped(root, to=change.skip.to, end_epoch=change.skip.end_epoch)
        draft = await self._rewritten(root, change.replacement)
        return replace(draft, root=_longer(draft.root, change.uploaded))

    async def _rewritten(self, root: Root, replacement: Replacement | None) -> Draft:
        if replacement is None:
            return Draft(root=root)
        not_before_ms = self._not_before_ms()
        walk = replaced(root, replacement, uids=self._uids(), not_before_ms=not_before_ms)
        return await drive_async(walk, self.page)

    def _among(self, pages: Sequence[NewPage]) -> LoadPage:
        """Return what loads pages of which some are not in the store yet."""
        made = {page.ref.page: page.body for page in pages}

        async def load(page: PageId) -> Page:
            body = made.get(page)
            found = None if body is None else decode_page(body, page, path=self.path)
            return found or await self.page(page)

        return load

    def _next_root(self, before: Root | None) -> Root:
        uid, now_ms = Uid(self._ids.uuid()), self._clock.wall_ms()
        if before is None:
            start = self.pointer.tiered_start
            return first_root(
                self.path,
                uid=uid,
                stamp=self.next_stamp,
                start=start,
                created_ms=now_ms,
                root_format=INLINE_FORMAT,
            )
        ref = self.pointer.root
        assert ref is not None, "a root without a reference"
        return successor(
            before,
            ref,
            uid=uid,
            stamp=self.next_stamp,
            created_ms=now_ms,
            not_before_ms=self._not_before_ms(),
        )

    async def _move(self, root: Root, encoded: EncodedRoot) -> None:
        pointer = committed(self.pointer, root, encoded.ref)
        self._held = await self._authority.commit(self._held, pointer)
        self._manifests.keep_root(root)
        self._note(encoded.ref, root)
        self._stats.commits += 1

    async def _head_after(
        self, before: Root | None, root: Root, change: TierChange, load: LoadPage
    ) -> TierHead | None:
        """Return what goes first after a commit, before pages of its own are in the store."""
        if before is not None:
            if self.head is None:
                return None
            rewritten = change.replacement
            is_same = rewritten is None or rewritten.offsets.start > root.live_start
            if self.head.oldest is not None and before.live_start == root.live_start and is_same:
                return replace(self.head, live=root.totals)
        return await drive_async(head_of(root), load)

    @override
    def _note(self, ref: RootRef, root: Root) -> None:
        if self._seen != ref:
            self._seen = ref
            self.trash_from_ms = root.trash.worth_from_ms
            self.locked_trash_bytes = sum(each.bytes for each in root.trash.locks())
            super()._note(ref, root)

    async def confirm(self) -> None:
        """Make sure that the tier is still this broker's; raises like `Authority.confirm`."""
        await self._authority.confirm(self._held)

    async def hint(self) -> None:
        """Overwrite ``root/LATEST``, if the store lets us: readers by it look further anyway."""
        try:
            await self._manifests.hint(self.path, self.pointer)
        except (RetriableError, RejectedError) as error:
            _log.warning("tier_hint_failed", partition=self.path.prefix, reason=str(error))

    def _not_before_ms(self) -> int:
        # A grace may be as long as a setting can say (TIER-16).
        return min(self._clock.wall_ms() + self._grace_ms, LONG_MAX)

    def _uids(self) -> Iterator[Uid]:
        while True:
            yield Uid(self._ids.uuid())


def _longer(root: Root, uploaded: Sequence[Uploaded]) -> Root:
    """Return a root with the objects that continue it, in the format that has room for them."""
    if not uploaded:
        return root
    entries = [each.entry for each in uploaded]
    is_long = len(root.entries) + len(entries) > INLINE_ENTRIES_MAX
    if is_long or any(each.lock for each in entries):
        root = upgraded(root)
    return append(root, entries, end_epoch=uploaded[-1].end_epoch)
