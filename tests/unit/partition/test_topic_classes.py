"""New objects are stored in the class of their topic, where the store has classes."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from everlog.format.entries import Entry, entry_of
from everlog.model.storage_class import StorageClass
from everlog.stores.memory import MemoryObjectStore
from tests.unit.partition.classed_store import ClassedStore
from tests.unit.tiering.site import Metadata, Site, read_all, site

BUCKET = {"store.url": "s3://bucket"}
TOPIC = {"segment.bytes": "1024", "remote.storage.class": "GLACIER_IR"}


async def stored(running: Site, topic: dict[str, str], *, batches: int = 4) -> list[Entry]:
    """Append until there are some objects, and return their entries."""
    partition = await running.open(topic)
    appended = await running.append(partition, batches=batches, batch_bytes=800)
    await running.tiered_to(partition, partition.hot.active.base_offset)
    assert await read_all(partition) == appended
    (archive,) = running.cold.archiver.archives
    assert archive.tiered is not None
    root = await archive.tiered.tier.root()
    return [entry_of(root.entries, row) for row in range(len(root.entries))]


@pytest.mark.parametrize(
    ("settings", "topic", "expected"),
    [
        ({}, {}, StorageClass.STANDARD),
        ({}, {"remote.storage.class": "GLACIER_IR"}, StorageClass.GLACIER_IR),
    ],
)
async def test_segment_objects_alone_get_the_class_of_their_topic(
    tmp_path: Path,
    metadata: Metadata,
    objects: MemoryObjectStore,
    settings: dict[str, str],
    topic: dict[str, str],
    expected: StorageClass,
) -> None:
    store = ClassedStore(objects)
    async with site(tmp_path, metadata, store=store, settings={**BUCKET, **settings}) as running:
        entries = await stored(running, {"segment.bytes": "1024", **topic})
    assert entries
    assert {each.class_number for each in entries} == {expected}
    assert set(store.classes.values()) == {expected}
    assert all("/seg/" in key for key in store.classes)
    assert any("/root/" in key for key in objects._objects)


async def test_a_topic_that_came_along_into_a_directory_is_archived_there_without_its_class(
    tmp_path: Path, metadata: Metadata, objects: MemoryObjectStore
) -> None:
    store = ClassedStore(objects)
    with capture_logs() as logs:
        async with site(tmp_path, metadata, store=store) as running:
            entries = await stored(running, TOPIC, batches=12)
    assert {each.class_number for each in entries} == {0}
    assert set(store.classes.values()) == {StorageClass.STANDARD}
    told = [each for each in logs if each["event"] == "storage_class_not_used"]
    assert len(told) == 1
    assert "remove remote.storage.class" in told[0]["advice"]
