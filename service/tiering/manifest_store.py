"""Roots and pages in the object store: fetched when needed, pages kept for all partitions."""

from collections import OrderedDict
from collections.abc import Sequence

from everlog.format.errors import CorruptObjectError
from everlog.format.object_keys import LatestKey, PartitionPath
from everlog.format.page import NewPage, Page, decode_page
from everlog.format.page_refs import PageId
from everlog.format.pointer import Pointer, encode_pointer
from everlog.format.root import Root, RootRef
from everlog.format.root_codec import EncodedRoot, decode_root
from everlog.stores.errors import ObjectExistsError
from everlog.stores.object_key import object_key
from everlog.stores.object_store import ObjectStore

ROOT_BYTES_MAX = 16 << 20
"""A root is below 100 KiB; its trash may be long after much retention."""

PAGE_BYTES_MAX = 4 << 20
PAGES_MAX = 128
"""At most 128 x 400 KiB of decoded rows for all partitions of a broker."""


class ManifestStore:
    """Reads and writes manifests; what it returns has been verified against its digest."""

    def __init__(self, store: ObjectStore, *, pages_max: int = PAGES_MAX) -> None:
        self._store = store
        self._pages_max = pages_max
        self._pages: OrderedDict[bytes, Page] = OrderedDict()

    async def root(self, path: PartitionPath, ref: RootRef) -> Root:
        """Fetch a committed root.

        Raises:
            ObjectMissingError: It is gone.
            CorruptObjectError: It is damaged.
            StoreUnavailableError: The store did not answer.
        """
        key = ref.key(path)
        body = await self._store.read_all(object_key(key.text), size_max=ROOT_BYTES_MAX)
        return decode_root(body, key=key, digest=ref.sha256)

    async def page(self, path: PartitionPath, page: PageId) -> Page:
        """Fetch a page, or find it among those that were used lately; raises like `root`."""
        known = self.cached_page(page)
        if known is not None:
            return known
        key = object_key(page.key(path).text)
        body = await self._store.read_all(key, size_max=PAGE_BYTES_MAX)
        found = decode_page(body, page, path=path)
        self._pages[page.uid] = found
        if len(self._pages) > self._pages_max:
            self._pages.popitem(last=False)
        return found

    def cached_page(self, page: PageId) -> Page | None:
        """Return a page if it is at hand; it is then the last to go."""
        found = self._pages.get(page.uid)
        if found is not None:
            self._pages.move_to_end(page.uid)
        return found

    async def put(self, root: Root, encoded: EncodedRoot, pages: Sequence[NewPage]) -> None:
        """Store new pages and then the root that refers to them; safe to repeat.

        Raises:
            StoreUnavailableError: The outcome is unknown.
        """
        for page in pages:
            await self._create(page.ref.page.key(root.path).text, page.body)
        await self._create(encoded.ref.key(root.path).text, encoded.body)

    async def hint(self, path: PartitionPath, pointer: Pointer) -> None:
        """Tell readers without a broker where the newest root is; nobody depends on it."""
        key = object_key(LatestKey(path=path).text)
        await self._store.overwrite(key, encode_pointer(pointer))

    async def _create(self, text: str, body: bytes) -> None:
        key = object_key(text)
        try:
            await self._store.create(key, body)
        except ObjectExistsError as error:
            # An earlier attempt of ours: names are never used twice.
            if await self._store.read_all(key, size_max=ROOT_BYTES_MAX) != body:
                raise CorruptObjectError(text, "other bytes are stored under its name") from error
