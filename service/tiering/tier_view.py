"""The tier of one partition as its readers see it: a pointer, and the manifest that it names."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from everlog.format.entries import Entry
from everlog.format.object_keys import PartitionPath
from everlog.format.origins import Origin, home_of
from everlog.format.page import Page
from everlog.format.page_refs import PageId
from everlog.format.pointer import Pointer
from everlog.format.root import Root, RootRef
from everlog.model.offsets import Offset
from service.tiering.manifest_store import ManifestStore


class TierView(ABC):
    """At rest it holds its pointer; its manifest is kept only while there is room."""

    def __init__(self, path: PartitionPath, *, manifests: ManifestStore) -> None:
        self.path = path
        self._manifests = manifests
        self._origins: Sequence[Origin] = ()

    @property
    @abstractmethod
    def pointer(self) -> Pointer:
        """Where the tier stands; replaced as a whole."""

    @property
    def start(self) -> Offset:
        """First offset that may be read."""
        return self.pointer.tiered_start

    @property
    def end(self) -> Offset:
        """Everything below it is in the store, or has expired."""
        return self.pointer.tiered_end

    @property
    def cached_root(self) -> Root | None:
        """The committed root if it is at hand."""
        ref = self.pointer.root
        return None if ref is None else self._manifests.cached_root(ref)

    async def root(self, *, is_hasty: bool = False) -> Root | None:
        """Return the committed root, from the store if need be; None before any commit.

        Args:
            is_hasty: Whether to give up soon, for whoever tries again himself.

        Raises:
            ObjectMissingError: It is gone.
            CorruptObjectError: It is damaged.
            StoreUnavailableError: The store did not answer.
        """
        while (ref := self.pointer.root) is not None:
            root = await self._manifests.root(self.path, ref, is_hasty=is_hasty)
            if self.pointer.root == ref:  # no commit has come in between
                self._note(ref, root)
                return root
        return None

    def home_of(self, entry: Entry) -> PartitionPath:
        """Return below whose names an object lies that this tier lists, or has listed."""
        return home_of(entry.origin, own=self.path, origins=self._origins)

    def forget_root(self) -> None:
        """Let the next read fetch the root again."""
        if self.pointer.root is not None:
            self._manifests.forget_root(self.pointer.root)

    async def page(self, page: PageId) -> Page:
        """Return a page of the manifest; raises like `root`."""
        return await self._manifests.page(self.path, page)

    def cached_page(self, page: PageId) -> Page | None:
        """Return a page of the manifest if it is at hand."""
        return self._manifests.cached_page(page)

    def _note(self, ref: RootRef, root: Root) -> None:  # noqa: ARG002  (owners look at it)
        """Take note of the committed root, which was just read."""
        # Who has found an object in an earlier root may still have to open it.
        self._origins = root.origins or self._origins
