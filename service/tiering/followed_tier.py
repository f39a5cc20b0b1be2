"""A tier that somebody else writes: its pointer is whatever was last found in the bucket."""

from collections.abc import Awaitable, Callable

from typing_extensions import override

from everlog.format.object_keys import PartitionPath
from everlog.format.pointer import Pointer, unclaimed
from everlog.format.root import Root
from everlog.model.offsets import Offset
from everlog.stores.errors import ObjectMissingError
from service.tiering.manifest_store import ManifestStore
from service.tiering.tier_view import TierView

_EMPTY = unclaimed(Offset(0))

Refresh = Callable[[], Awaitable[bool]]
"""Looks for a newer pointer, thoroughly; returns whether there was one."""


class FollowedTier(TierView):
    """What is known of the tier of one partition.

    Attributes:
        refresh: Asked when the known manifest, or an object that it names, is gone (TIER-31).
    """

    def __init__(self, path: PartitionPath, *, manifests: ManifestStore) -> None:
        super().__init__(path, manifests=manifests)
        self.refresh: Refresh = _nothing_new
        self._pointer: Pointer | None = None
        self._is_doubtful = False

    @property
    @override
    def pointer(self) -> Pointer:
        return self._pointer or _EMPTY

    @property
    def known(self) -> Pointer | None:
        """The pointer that was found last; None while nothing was."""
        return self._pointer

    def move(self, pointer: Pointer) -> None:
        """Go on with another pointer."""
        super().forget_root()  # of no more use
        self._pointer = pointer
        self._is_doubtful = False

    @override
    async def root(self, *, is_hasty: bool = False) -> Root | None:
        if self._is_doubtful:
            self._is_doubtful = False
            await self.refresh()
        try:
            return await super().root(is_hasty=is_hasty)
        except ObjectMissingError:
            # Retired since: whoever writes the tier has gone on without our knowing.
            if not await self.refresh():
                raise
            return await super().root(is_hasty=is_hasty)

    @override
    def forget_root(self) -> None:
        super().forget_root()
        self._is_doubtful = True


async def _nothing_new() -> bool:
    return False
