"""Finds the root that a partition is restored from: whole, and the newest or that of a time."""

from collections.abc import Sequence

from everlog.format.entries import ENTRY_LAYOUT, origin_numbers
from everlog.format.object_keys import PartitionPath, RootKey, Uid, uid_text
from everlog.format.origins import home_of
from everlog.format.page_refs import ref_of
from everlog.format.root import Root
from everlog.format.span_table import SpanTable
from everlog.model.errors import CorruptionError
from everlog.stores.errors import ObjectMissingError
from everlog.stores.object_store import ObjectStore
from service.tiering.archive_listing import FoundRoot, RootNames, read_root
from service.tiering.manifest_store import ManifestStore
from service.tiering.partition_names import PartitionNames, names_below

_NO_HINT = RootNames(keys=(), hint=None)


class RootSearch:
    """The search in one partition.

    Attributes:
        faults: What is wrong with the roots that were passed over, newest first.
    """

    def __init__(
        self, names: PartitionNames, *, store: ObjectStore, manifests: ManifestStore
    ) -> None:
        self.faults: list[str] = []
        self._names = names
        self._store = store
        self._manifests = manifests
        self._elsewhere: dict[PartitionPath, PartitionNames] = {}

    async def pinned(self, uid: Uid) -> FoundRoot | None:
        """Return the root with that uid if it verifies and its live objects are all there.

        Raises:
            UnsupportedFormatError: A newer Everlog wrote it.
            RetriableError: The store did not answer.
        """
        key = next((each for each in self._names.roots if each.uid == uid), None)
        if key is None:
            self._pass_over(f"the root {uid_text(uid)} of the cut is not there")
            return None
        found = await self._read(key)
        fault = found if isinstance(found, str) else await self._fault(found.root)
        if fault is not None:
            self._pass_over(f"{key.text}: {fault}")
            return None
        assert isinstance(found, FoundRoot), "what could not be read has a fault"
        return found

    async def newest(self, *, at_ms: int | None) -> FoundRoot | None:
        """Return the newest root that verifies and whose live objects are all there.

        Args:
            at_ms: Only roots that were made by then count; None for all.

        Raises:
            UnsupportedFormatError: A newer Everlog wrote a root; an older one would be a loss.
            RetriableError: The store did not answer.
        """
        roots = self._names.newest_first()
        first = 0 if at_ms is None else await self._first_made_by(roots, at_ms)
        for key in roots[first:]:
            found = await self._read(key)
            if isinstance(found, str):
                self._pass_over(f"{key.text}: {found}")
                continue
            if at_ms is not None and found.root.created_ms > at_ms:
                continue  # a clock went back
            fault = await self._fault(found.root)
            if fault is None:
                return found
            self._pass_over(f"{key.text}: {fault}")
        return None

    def _pass_over(self, fault: str) -> None:
        # A root that a cut names may be met again.
        if fault not in self.faults:
            self.faults.append(fault)

    async def _first_made_by(self, roots: Sequence[RootKey], at_ms: int) -> int:
        """Return the place of the first root, newest first, that is not younger."""
        low, high = 0, len(roots)
        while low < high:
            middle = (low + high) // 2
            place, root = await self._readable_from(roots, middle)
            if root is None or root.created_ms <= at_ms:
                high = middle
            else:
                low = place + 1
        return low

    async def _readable_from(self, roots: Sequence[RootKey], first: int) -> tuple[int, Root | None]:
        for place in range(first, len(roots)):
            found = await self._read(roots[place])
            if not isinstance(found, str):
                return place, found.root
        return len(roots), None

    async def _read(self, key: RootKey) -> FoundRoot | str:
        """Return a root, or what is wrong with it."""
        try:
            return await read_root(self._store, _NO_HINT, key)
        except (ObjectMissingError, CorruptionError) as error:
            return str(error)

    async def _fault(self, root: Root) -> str | None:
        """Return what of a root is not there, if anything is not."""
        try:
            return await self._rows_fault(root.path, root.refs, root) or await self._entries_fault(
                root.entries, root
            )
        except (ObjectMissingError, CorruptionError) as error:
            return str(error)

    async def _rows_fault(self, path: PartitionPath, refs: SpanTable, root: Root) -> str | None:
        for row in range(refs.index_after(root.live_start), len(refs)):
            page = ref_of(refs, row).page
            if page.uid not in self._names.pages:
                return f"{page.key(path).text} is not there"
            rows = (await self._manifests.page(path, page)).rows
            if rows.rows.layout is ENTRY_LAYOUT:
                fault = await self._entries_fault(rows, root)
            else:
                fault = await self._rows_fault(path, rows, root)
            if fault is not None:
                return fault
        return None

    async def _entries_fault(self, entries: SpanTable, root: Root) -> str | None:
        rows, numbers = entries.rows, origin_numbers(entries)
        uids, sizes = rows.blobs("uid"), rows.ints("size_bytes")
        for row in range(entries.index_after(root.live_start), len(entries)):
            home = home_of(numbers[row], own=root.path, origins=root.origins)
            names = await self._names_of(home)
            found = names.segments.get(Uid(uids[row]))
            whose = "" if home == root.path else f" below {home.prefix}"
            what = f"the object of [{entries.start_of(row)}, {entries.end_of(row)}){whose}"
            if found is None:
                return f"{what} is not there"
            if found.size != sizes[row]:
                return f"{what} has {found.size} bytes instead of {sizes[row]}"
        return None

    async def _names_of(self, home: PartitionPath) -> PartitionNames:
        """Return the names of a partition's objects; those of an origin are listed once."""
        if home == self._names.path:
            return self._names
        found = self._elsewhere.get(home)
        if found is None:
            found = self._elsewhere[home] = await names_below(self._store, home, home.segments)
        return found
