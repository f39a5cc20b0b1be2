"""An archive to copy, and how it is copied."""

from pathlib import Path

from everlog.format.cluster_marker import ClusterMarker, encode_marker
from everlog.format.object_keys import ClusterKey, LatestKey, RootKey, parse_key
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import object_key
from everlog.stores.object_store import ObjectStore, list_all
from service.tiering.archive_copying import ArchiveCopier, CopyRound, CopyScope
from service.tiering.object_copying import SpooledCopier
from service.tiering.partition_tier import PartitionTier, TierChange
from service.tiering.verification import Verifier
from tests.simulation.clock import SeededIds
from tests.unit.tiering.archives import grow
from tests.unit.tiering.site import CLUSTER, TOPIC, HastyClock, Metadata
from tests.unit.tiering.test_partition_tier import claimed

MARKER = object_key(ClusterKey(cluster_id=CLUSTER).text)
RECORD = object_key(f"meta/{CLUSTER}/topics/{TOPIC.hex()}/000000-0000000001-{'a' * 26}.json")
CUT = object_key(f"meta/{CLUSTER}/cuts/of-a-later-version.json")


async def made_source(clock: HastyClock) -> MemoryObjectStore:
    """Return a store that a cluster has, before its first segment object."""
    store = MemoryObjectStore(clock=clock)
    marker = encode_marker(ClusterMarker(cluster_id=CLUSTER, store_id="first"))
    await store.create(MARKER, marker)
    await store.create(RECORD, b'{"a": "record"}')
    await store.create(CUT, b"of roots")
    return store


async def made_tier(
    metadata: Metadata, source: MemoryObjectStore, clock: HastyClock, *, objects: int
) -> PartitionTier:
    tier = await claimed(metadata, source, clock)
    for _ in range(3):
        await tier.commit(TierChange(uploaded=await grow(tier, source, objects)))
    await tier.hint()
    return tier


def copier(
    source: ObjectStore, target: ObjectStore, folder: Path, *, scope: CopyScope | None = None
) -> ArchiveCopier:
    objects = SpooledCopier(source, target, folder=str(folder), ids=SeededIds(1))
    return ArchiveCopier(
        source, target, objects=objects, scope=scope or CopyScope(), clock=HastyClock()
    )


def problems(done: CopyRound) -> list[str]:
    return [problem.key for each in done.partitions for problem in each.problems]


async def keys(store: ObjectStore) -> set[str]:
    return {info.key async for info in list_all(store, "")}


async def check_closed(store: MemoryObjectStore) -> None:
    """See that every root of a store leads to what is there, also as the only one."""
    roots = [key for key in map(parse_key, store._objects) if isinstance(key, RootKey)]
    for root in roots:
        alone = MemoryObjectStore(clock=HastyClock())
        for key, stored in store._objects.items():
            other = parse_key(key)
            if not isinstance(other, RootKey | LatestKey) or other == root:
                await alone.create(key, stored.body)
        report = await Verifier(alone, deep=False).partition(root.path)
        assert [(each.key.text, each.reason) for each in report.problems] == []
