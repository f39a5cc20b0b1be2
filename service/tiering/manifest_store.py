"""Roots and pages in the object store: fetched when needed, and kept while there is room."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from everlog.format.errors import CorruptObjectError
from everlog.format.object_keys import LatestKey, PartitionPath
from everlog.format.page import NewPage, Page, decode_page
from everlog.format.page_refs import PageId
from everlog.format.pointer import Pointer, encode_pointer
from everlog.format.root import Root, RootRef
from everlog.format.root_codec import EncodedRoot, decode_root
from everlog.stores.errors import ObjectExistsError, ObjectMissingError, not_shown_yet
from everlog.stores.object_key import ObjectKey, object_key
from everlog.stores.object_store import ObjectStore
from service.tiering.manifest_cache import ManifestCache
from service.tiering.object_verification import Fault
from service.tiering.read_damage import ReadDamage
from service.tiering.second_look import second_look

ROOT_BYTES_MAX = 16 << 20
"""A root is below 100 KiB; its trash may be long after much retention."""

PAGE_BYTES_MAX = 4 << 20


class ManifestStore:
    """Reads and writes manifests; what it returns has been verified against its digest.

    Args:
        store: Where they are.
        hasty: The same store, for whoever tries again himself; its calls give up soon. What goes
            wrong is then known at once, and not once a call has been repeated for a minute.
        cache: For what was used lately.
        damage: Is told of what cannot be read; None for who tells it himself.
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        hasty: ObjectStore | None = None,
        cache: ManifestCache | None = None,
        damage: ReadDamage | None = None,
    ) -> None:
        self._store = store
        self._hasty = hasty or store
        self._cache = ManifestCache() if cache is None else cache
        self._damage = damage

    async def root(self, path: PartitionPath, ref: RootRef, *, is_hasty: bool = False) -> Root:
        """Fetch a root, or find it among what was used lately.

        Args:
            path: Whose it is.
            ref: Which.
            is_hasty: Whether to give up soon.

        Raises:
            ObjectMissingError: It is gone.
            CorruptObjectError: It is damaged.
            StoreUnavailableError: The store did not answer.
        """
        root = self.cached_root(ref)
        if root is None:
            store = self._hasty if is_hasty else self._store
            with self._reading(ref.key(path).text):
                root = await second_look(lambda: self._root(store, path, ref))
            self.keep_root(root)
        return root

    async def _root(self, store: ObjectStore, path: PartitionPath, ref: RootRef) -> Root:
        key = ref.key(path)
        body = await store.read_all(object_key(key.text), size_max=ROOT_BYTES_MAX)
        return decode_root(body, key=key, digest=ref.sha256)

    def cached_root(self, ref: RootRef) -> Root | None:
        """Return a root if it is at hand."""
        found = self._cache.get(ref.uid)
        return found if isinstance(found, Root) else None

    def keep_root(self, root: Root) -> None:
        """Keep a root that is the committed one now; its predecessor is of no more use."""
        if root.previous is not None:
            self._cache.drop(root.previous.uid)
        self._cache.put(root.uid, root)

    def forget_root(self, ref: RootRef) -> None:
        """Let the next read fetch a root again."""
        self._cache.drop(ref.uid)

    async def page(self, path: PartitionPath, page: PageId) -> Page:
        """Fetch a page, or find it among what was used lately; raises like `root`."""
        found = self.cached_page(page)
        if found is None:
            with self._reading(page.key(path).text):
                found = await second_look(lambda: self._page(path, page))
            self._cache.put(page.uid, found)
        return found

    async def _page(self, path: PartitionPath, page: PageId) -> Page:
        key = object_key(page.key(path).text)
        body = await self._store.read_all(key, size_max=PAGE_BYTES_MAX)
        return decode_page(body, page, path=path)

    def _reading(self, name: str) -> AbstractContextManager[None]:
        if self._damage is None:
            return nullcontext()
        return self._damage.reading(name, fault=Fault.MANIFEST)

    def cached_page(self, page: PageId) -> Page | None:
        """Return a page if it is at hand."""
        found = self._cache.get(page.uid)
        return found if isinstance(found, Page) else None

    async def put(self, root: Root, encoded: EncodedRoot, pages: Sequence[NewPage]) -> None:
        """Store new pages and then the root that refers to them; gives up soon, safe to repeat.

        Raises:
            StoreUnavailableError: The outcome is unknown.
        """
        for page in pages:
            await self._create(page.ref.page.key(root.path).text, page.body)
        await self._create(encoded.ref.key(root.path).text, encoded.body)

    async def hint(self, path: PartitionPath, pointer: Pointer) -> None:
        """Tell readers without a broker where the newest root is; nobody depends on it."""
        key = object_key(LatestKey(path=path).text)
        await self._hasty.overwrite(key, encode_pointer(pointer))

    async def _create(self, text: str, body: bytes) -> None:
        key = object_key(text)
        try:
            await self._hasty.create(key, body)
        except ObjectExistsError:
            # An earlier attempt of ours: names are never used twice.
            await second_look(lambda: self._compare(key, body))

    async def _compare(self, key: ObjectKey, body: bytes) -> None:
        try:
            stored = await self._hasty.read_all(key, size_max=ROOT_BYTES_MAX)
        except ObjectMissingError as error:
            raise not_shown_yet("create", key) from error
        if stored != body:
            raise CorruptObjectError(key, "other bytes are stored under its name")
