"""Holds the objects of a store against the tiers that a data directory knows, broker or no broker.

Both ways: what the tiers name must be there and whole, and what is there must be accounted for, by
the root that the pointer names, by its trash, or as an orphan that the next owner will remove.
"""

import json
import os
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from everlog.format.checksum import crc32c
from everlog.format.entries import Entry, entry_of
from everlog.format.lookup import entries_at
from everlog.format.meta_keys import CutKey, DeletedTopicKey, TopicRecordKey, parse_meta_key
from everlog.format.object_keys import ClusterKey, PartitionPath, SegmentKey
from everlog.format.page import Page
from everlog.format.page_refs import PageId
from everlog.format.pointer import Pointer, claimed, decode_pointer
from everlog.format.root import Root
from everlog.format.segment_index import SegmentIndex, open_segment
from everlog.format.walk import drive_async
from everlog.model.errors import EverlogError
from everlog.model.ids import PartitionId, TopicId, id_bytes
from everlog.model.offsets import Offset
from everlog.stores.filesystem import FilesystemObjectStore
from everlog.stores.object_key import object_key
from everlog.stores.object_store import ObjectStore, list_all
from service.app.system_disk import SystemDisk
from service.app.tier_wiring import probe_key
from service.coordination.embedded.store import EmbeddedStore, open_tree
from service.coordination.metadata_store import MetadataStore
from service.coordination.znodes import TIER, tier_path
from service.tiering.manifest_store import ManifestStore
from service.tiering.orphans import Census, Finding, Standing

NOW_MS = 1 << 60
"""So late that no object is too young to be judged."""

BROKER_ID = 1
"""Of ``everlog dev``."""

ACCOUNTED_FOR = {Standing.LIVE, Standing.TRASH, Standing.ORPHAN}


@dataclass
class TierAudit:
    """What was found.

    Attributes:
        ends: The committed end of each partition's tier.
        commits: Of all tiers.
        segments: Objects that the committed roots lead to.
        standings: How many objects of the store there are of each kind.
        live: Names of these.
        orphans: Objects that no commit can name any more, once the tiers are claimed again.
    """

    ends: dict[PartitionPath, int] = field(default_factory=dict)
    commits: int = 0
    segments: int = 0
    standings: Counter[Standing] = field(default_factory=Counter)
    live: list[str] = field(default_factory=list)
    orphans: list[Finding] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        found = ", ".join(f"{count} {each.name.lower()}" for each, count in self.standings.items())
        return f"{self.commits} commits of {self.segments} segments; in the store: {found}"


async def audit(data_dir: Path) -> TierAudit:
    """Look at everything in a directory's own store; no broker may have the directory open."""
    # This removes what no process writes any more.
    files = FilesystemObjectStore(str(data_dir / "store"))
    names = {
        str(each.relative_to(data_dir / "store"))
        for each in (data_dir / "store").rglob("*")
        if each.is_file()
    }
    found = await audit_store(data_dir, files, names)
    await files.close()
    return found


async def audit_store(
    data_dir: Path, store: ObjectStore, names: set[str] | None = None
) -> TierAudit:
    """Look at everything in a store; ``names`` is what it holds, if that is more than it lists."""
    cluster_id = json.loads((data_dir / "meta.json").read_text())["cluster_id"]
    server = await open_tree(disk=SystemDisk(), directory=str(data_dir / "metadata"), executor=None)
    metadata = await EmbeddedStore.connect(server)
    found = await audit_tiers(metadata, store, cluster_id, names)
    await metadata.close()
    await server.close()
    return found


async def audit_tiers(
    metadata: MetadataStore,
    store: ObjectStore,
    cluster_id: str,
    names: set[str] | None = None,
    *,
    brokers: Sequence[int] = (BROKER_ID,),
) -> TierAudit:
    """Look at all tiers that a metadata tree knows."""
    found = TierAudit()
    # The next start deletes the probe.
    seen = {probe_key(cluster_id, broker) for broker in brokers}
    seen.add(ClusterKey(cluster_id=cluster_id).text)
    async for partition, pointer in _pointers(metadata):
        path = PartitionPath(
            cluster_id=cluster_id, topic_id=partition.topic_id, partition=partition.partition
        )
        seen |= await _Partition(path, pointer, store, found).check()
    if names is None:
        names = {info.key async for info in list_all(store, "")}
    told = TopicRecordKey | DeletedTopicKey | CutKey
    seen |= {name for name in names if isinstance(parse_meta_key(name), told)}
    found.problems += [f"{name} is no object of any tier" for name in sorted(names - seen)]
    return found


def make_older(data_dir: Path, findings: list[Finding], *, seconds: float) -> None:
    """Let objects have been stored earlier than they were."""
    for each in findings:
        path = data_dir / "store" / each.key
        at = path.stat().st_mtime - seconds
        os.utime(path, (at, at))


async def _pointers(metadata: MetadataStore) -> AsyncIterator[tuple[PartitionId, Pointer]]:
    """Yield the tiers that were ever claimed."""
    for topic in await metadata.children(TIER):
        for number in await metadata.children(f"{TIER}/{topic}"):
            partition = PartitionId(TopicId(id_bytes(topic)), int(number))
            payload, _ = await metadata.get(tier_path(partition))
            if payload:
                yield partition, decode_pointer(payload)


class _Partition:
    """The audit of one of them."""

    def __init__(
        self, path: PartitionPath, pointer: Pointer, store: ObjectStore, found: TierAudit
    ) -> None:
        self._path = path
        self._pointer = pointer
        self._store = store
        self._manifests = ManifestStore(store)
        self._found = found

    async def check(self) -> set[str]:
        """Check both ways; return the names that are there."""
        ref = self._pointer.root
        root = None if ref is None else await self._manifests.root(self._path, ref)
        self._found.ends[self._path] = self._pointer.tiered_end
        self._found.commits += self._pointer.stamp.ver
        if root is not None:
            await self._check_named(root)
        return await self._check_there(root)

    async def _check_named(self, root: Root) -> None:
        at: int = root.live_start
        async for entry in self._entries(root):
            if entry.offsets.start != at:
                self._complain(f"{entry.key(self._path).text} does not begin at {at}")
            at = entry.offsets.end
            self._found.segments += 1
            await self._check_object(entry, entry.key(root.home_of(entry)))
        if not at == root.tiered_end == self._pointer.tiered_end:
            self._complain(f"it ends at {at}, its pointer says {self._pointer.tiered_end}")

    async def _entries(self, root: Root) -> AsyncIterator[Entry]:
        offset = root.tiered_start
        while offset < root.tiered_end:
            table = await drive_async(entries_at(root, offset), self._page)
            for index in range(table.index_after(offset), len(table)):
                yield entry_of(table, index)
            offset = Offset(table.end)

    async def _page(self, page: PageId) -> Page:
        return await self._manifests.page(self._path, page)

    async def _check_object(self, entry: Entry, key: SegmentKey) -> None:
        self._found.live.append(key.text)
        try:
            body = await self._store.read_all(object_key(key.text), size_max=entry.size_bytes)
            index = open_segment(body, object_bytes=entry.size_bytes, key=key)
        except EverlogError as error:
            self._complain(f"{key.text}: {error}")
            return
        assert isinstance(index, SegmentIndex), "the whole object was read"
        if index.entry() != entry or crc32c(body) != entry.crc32c:
            self._complain(f"{key.text} is not what the root says")

    async def _check_there(self, root: Root | None) -> set[str]:
        """Judge by the claim that the next start will make."""
        pointer = claimed(self._pointer, epoch=self._pointer.stamp.epoch)
        census = Census(pointer, root, now_ms=NOW_MS, grace_ms=0)
        seen: set[str] = set()
        async for info in list_all(self._store, self._path.prefix):
            seen.add(info.key)
            finding = await drive_async(census.finding(info), self._page)
            self._found.standings[finding.standing] += 1
            if finding.standing is Standing.ORPHAN:
                self._found.orphans.append(finding)
            elif finding.standing not in ACCOUNTED_FOR:
                self._complain(f"{finding.key}: {finding.reason}")
        return seen

    def _complain(self, problem: str) -> None:
        self._found.problems.append(f"partition {self._path.partition}: {problem}")
