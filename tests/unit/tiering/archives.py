"""Archives to look at: of real batches, made by a broker without sockets, and of many objects."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from crc32c import crc32c

from everlog.format.entries import Entry
from everlog.format.object_keys import PartitionPath, Uid
from everlog.model.offsets import LeaderEpoch, Offset, OffsetRange
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import ObjectKey, object_key
from everlog.stores.object_store import ObjectStore
from service.tiering.partition_tier import PartitionTier
from service.tiering.uploader import Uploaded
from tests.unit.tiering.site import CLUSTER, TOPIC, HastyClock, metadata_tree, site
from tests.unit.tiering.test_partition_tier import IDS, PATH

REAL_PATH = PartitionPath(cluster_id=CLUSTER, topic_id=TOPIC, partition=0)
SMALL = {"segment.bytes": "16384", "remote.object.bytes": "16384"}
TIMES = 1_700_000_000_000
"""The first record of an archive has this time, each object's are a second later."""

BODY = b"x" * 200


@asynccontextmanager
async def archived(directory: Path, store: ObjectStore, *, objects: int = 4) -> AsyncIterator[int]:
    """Let a broker archive some objects of 15 records of a KiB; give the end of the tier."""
    async with metadata_tree() as metadata, site(directory, metadata, store=store) as place:
        partition = await place.open(SMALL)
        for number in range(objects + 1):
            await place.append(
                partition, batches=15, batch_bytes=1024, timestamp_ms=TIMES + 1000 * number
            )
        await place.tiered_to(partition, partition.hot.active.base_offset)
        yield int(partition.tiered_end)


async def made_archive(directory: Path, *, objects: int = 4) -> MemoryObjectStore:
    """Return a store with the archive of one partition."""
    store = MemoryObjectStore(clock=HastyClock())
    async with archived(directory, store, objects=objects):
        return store


async def grow(tier: PartitionTier, store: ObjectStore, count: int) -> list[Uploaded]:
    """Store objects that continue a tier; they are what the manifest says, and hold no batches."""
    start = tier.end
    uploaded = [
        Uploaded(
            entry=Entry(
                offsets=OffsetRange(Offset(at), Offset(at + 10)),
                max_timestamp=at,
                size_bytes=len(BODY),
                data_bytes=100,
                records=10,
                stamp=tier.next_stamp,
                uid=Uid(IDS.uuid()),
                crc32c=crc32c(BODY),
                aborted=False,
                created_ms=1,
            ),
            end_epoch=LeaderEpoch(1),
        )
        for at in range(start, start + 10 * count, 10)
    ]
    for each in uploaded:
        await store.create(object_key(each.entry.key(PATH).text), BODY)
    return uploaded


def names(store: MemoryObjectStore, part: str) -> list[ObjectKey]:
    """Return the names of a store that have something in them, in order."""
    return sorted(key for key in store._objects if part in key)
