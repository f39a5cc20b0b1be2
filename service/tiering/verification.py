"""Whether an archive is whole: what the newest roots of a bucket name is there, and sound.

Needs the bucket and nothing else; changes nothing in it. A bucket in use moves on: an object that
is missing counts only if the newest root still names it then.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial

from everlog.format.entries import Entry, Totals, entry_of
from everlog.format.errors import UnsupportedFormatError
from everlog.format.object_keys import (
    ArchiveKey,
    PartitionPath,
    RootKey,
    SegmentKey,
    parse_key,
)
from everlog.format.page import Page, totals_of
from everlog.format.page_refs import INDEX_PAGE, PageRef, ref_of
from everlog.format.pointer import pointer_to
from everlog.format.root import Root
from everlog.format.span_table import SpanTable
from everlog.format.walk import drive_async
from everlog.model.errors import CorruptionError, EverlogError
from everlog.model.offsets import Offset, OffsetRange
from everlog.stores.errors import ObjectMissingError
from everlog.stores.object_key import object_key
from everlog.stores.object_store import ObjectInfo, ObjectStore
from service.tiering.archive_listing import FoundRoot, RootNames, read_root, root_names
from service.tiering.deleted_archives import was_deleted
from service.tiering.manifest_cache import ManifestCache
from service.tiering.manifest_store import ManifestStore
from service.tiering.object_verification import (
    Fault,
    Problem,
    attribute_problem,
    content_problem,
    problem_of,
)
from service.tiering.orphans import Census, Standing

OBJECTS_AT_ONCE = 8
"""Objects that are looked at side by side, of all partitions."""

PROBLEMS_MAX = 1000
"""Problems of one partition that are kept; all are counted."""

MANIFEST_BYTES = 4 << 20
"""Kept of manifests; each page is needed once."""

ATTEMPTS_MAX = 3
"""How often a partition is looked at whose manifest goes on faster than it is read."""

LATE_MS = 1 << 60
"""So late that nothing is too young to be judged."""

OnObject = Callable[[int], None]
"""Told the bytes of each object that has been looked at."""

OnNamed = Callable[[Totals], None]
"""Told what a root names, before that is looked at."""


@dataclass(slots=True, kw_only=True)
class PartitionReport:
    """What was found of one partition.

    Attributes:
        root: The root that was gone by; None if there is none that can be read.
        offsets: What it says the archive holds.
        named: What it says all objects are together.
        objects: Those that were looked at.
        is_partial: Whether part of the manifest cannot be read, so that not all objects are known.
        problems: The first `PROBLEMS_MAX` of them.
    """

    path: PartitionPath
    root: RootKey | None = None
    offsets: OffsetRange = field(default_factory=lambda: OffsetRange(Offset(0), Offset(0)))
    named: Totals = field(default_factory=Totals)
    objects: int = 0
    is_partial: bool = False
    problems: list[Problem] = field(default_factory=list)
    problem_count: int = 0

    def add(self, problem: Problem) -> None:
        """Take note of a problem."""
        self.problem_count += 1
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(problem)

    def drop(self, excused: list[Problem]) -> None:
        """Forget problems that are none."""
        self.problems = [each for each in self.problems if each not in excused]
        self.problem_count -= len(excused)


class Verifier:
    """Looks at partitions of one store, also at several at a time.

    Args:
        deep: Whether to read every object, and to look at each batch.
        executor: Its threads compute checksums.
        on_named: Told of each root.
        on_object: Told of each object.
        objects_at_once: Looked at side by side.
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        deep: bool,
        executor: Executor | None = None,
        on_named: OnNamed = lambda _: None,
        on_object: OnObject = lambda _: None,
        objects_at_once: int = OBJECTS_AT_ONCE,
    ) -> None:
        self._store = store
        self._deep = deep
        self._executor = executor
        self._on_named = on_named
        self._on_object = on_object
        self._slots = asyncio.Semaphore(objects_at_once)
        self._manifests = ManifestStore(store, cache=ManifestCache(bytes_max=MANIFEST_BYTES))

    async def partition(self, path: PartitionPath) -> PartitionReport:
        """Look at one partition.

        Raises:
            StoreUnavailableError: The store did not answer.
            StoreDeniedError: It does not let this process read.
        """
        for _ in range(ATTEMPTS_MAX - 1):
            report, is_stale = await self._look_at(path)
            if not is_stale:
                return report
        return (await self._look_at(path))[0]

    async def _look_at(self, path: PartitionPath) -> tuple[PartitionReport, bool]:
        """Look at a partition; tell whether it has moved on too far to say something of all."""
        report = PartitionReport(path=path)
        names = await root_names(self._store, path)
        found = await self._newest(names, report)
        if found is None:
            await self._check_rootless(names, report)
            return report, False
        root = found.root
        report.offsets = OffsetRange(root.tiered_start, root.tiered_end)
        report.named = root.totals
        self._check_hint(names, report)
        self._on_named(root.totals)
        await self._check_named(root, report)
        excused = await self._retired_since(names, report)
        report.drop(excused)
        return report, report.is_partial and bool(excused)

    # ---- roots

    async def _newest(self, names: RootNames, report: PartitionReport) -> FoundRoot | None:
        """Return the newest root that can be read; newer ones are problems."""
        for key in names.keys:
            try:
                found = await read_root(self._store, names, key)
            except EverlogError as error:
                report.add(problem_of(key, error, None, fault=Fault.MANIFEST))
                continue
            report.root = key
            return found
        return None

    def _check_hint(self, names: RootNames, report: PartitionReport) -> None:
        """See that no commit is missing that the hint has seen."""
        hint, newest = names.hint, names.newest
        if hint is None or hint.root is None:
            return
        if newest is not None and hint.root.stamp <= newest.stamp:
            return
        others = "there is no root" if newest is None else f"the newest is {newest.stamp.text}"
        reason = f"it is missing: root/LATEST names it, {others}"
        report.add(
            Problem(
                key=hint.root.key(report.path),
                fault=Fault.MANIFEST,
                reason=reason,
                offsets=OffsetRange(report.offsets.end, max(report.offsets.end, hint.tiered_end)),
            )
        )

    async def _check_rootless(self, names: RootNames, report: PartitionReport) -> None:
        """Tell a partition before its first commit, or that was deleted, from one without roots."""
        if await was_deleted(self._store, report.path):
            return
        self._check_hint(names, report)
        for info in await self._store.list(report.path.segments):
            key = parse_key(info.key)
            if isinstance(key, SegmentKey) and key.stamp.ver > 1:
                reason = f"it was made for commit {key.stamp.ver}, and there is no root"
                report.add(
                    Problem(key=key, fault=Fault.MANIFEST, reason=reason, offsets=key.offsets)
                )
                return

    # ---- what the root names

    async def _check_named(self, root: Root, report: PartitionReport) -> None:
        totals = Totals()
        async with asyncio.TaskGroup() as tasks:
            async for entry in self._entries(root, report):
                totals += entry.totals
                await self._slots.acquire()
                tasks.create_task(self._check_object(entry, root.home_of(entry), report))
        if totals != root.totals and not report.is_partial:
            assert report.root is not None
            reason = f"it says {root.totals}, and its entries are {totals}"
            report.add(
                Problem(
                    key=report.root, fault=Fault.MANIFEST, reason=reason, offsets=report.offsets
                )
            )

    async def _entries(self, root: Root, report: PartitionReport) -> AsyncIterator[Entry]:
        async for table in self._tables(root.refs, root, report):
            for index in range(table.index_after(root.live_start), len(table)):
                yield entry_of(table, index)

    async def _tables(
        self, refs: SpanTable, root: Root, report: PartitionReport
    ) -> AsyncIterator[SpanTable]:
        """Yield the tables of entries below some references, and then the root's own."""
        for index in range(refs.index_after(root.live_start), len(refs)):
            ref = ref_of(refs, index)
            page = await self._page(ref, report)
            if page is None:
                continue
            if page.id.level == INDEX_PAGE:
                async for table in self._tables(page.rows, root, report):
                    yield table
            else:
                yield page.rows
        if refs is root.refs:
            yield root.entries

    async def _page(self, ref: PageRef, report: PartitionReport) -> Page | None:
        key = ref.page.key(report.path)
        try:
            page = await self._manifests.page(report.path, ref.page)
        except EverlogError as error:
            report.add(problem_of(key, error, ref.page.offsets, fault=Fault.MANIFEST))
            report.is_partial = True
            return None
        if totals_of(page.rows, ref.page.level) != ref.totals:
            reason = "its rows do not add up to what is said where it is referred to"
            report.add(
                Problem(key=key, fault=Fault.MANIFEST, reason=reason, offsets=ref.page.offsets)
            )
        return page

    async def _check_object(
        self, entry: Entry, home: PartitionPath, report: PartitionReport
    ) -> None:
        try:
            problem = await attribute_problem(self._store, home, entry)
            if problem is None and self._deep:
                problem = await content_problem(self._store, home, entry, executor=self._executor)
        finally:
            self._slots.release()
        report.objects += 1
        self._on_object(entry.size_bytes)
        if problem is not None:
            report.add(problem)

    # ---- what has moved on

    async def _retired_since(self, before: RootNames, report: PartitionReport) -> list[Problem]:
        """Return problems that are none: the archive has gone on without these objects."""
        if not report.problems:
            return []
        names = await root_names(self._store, report.path)
        if names.newest is None or names.newest == before.newest:
            return []
        found = await self._newest(names, PartitionReport(path=report.path))
        if found is None:
            return []
        census = Census(pointer_to(found.root, found.ref), found.root, now_ms=LATE_MS, grace_ms=0)
        return [
            each for each in report.problems if await self._is_retired(each.key, census, found.root)
        ]

    async def _is_retired(self, key: ArchiveKey, census: Census, root: Root) -> bool:
        if isinstance(key, RootKey):
            return key.stamp < root.stamp
        info = ObjectInfo(key=object_key(key.text), size=0, modified_ms=0, checksum_crc32c=None)
        try:
            finding = await drive_async(
                census.finding(info), partial(self._manifests.page, root.path)
            )
        except (ObjectMissingError, CorruptionError, UnsupportedFormatError):
            return False
        return finding.standing is not Standing.LIVE
