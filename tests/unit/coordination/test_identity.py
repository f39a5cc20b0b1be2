"""A data directory meets its own cluster, or the start is refused and nothing is touched."""

import json

import pytest

from everlog.model.errors import CorruptionError
from everlog.model.ids import NodeId, id_text
from service.coordination.embedded.store import EmbeddedStore
from service.coordination.identity import Identity, StartRefusedError, establish_identity
from service.coordination.metadata_store import MetadataStore
from service.coordination.payloads import unpack
from service.coordination.znodes import CLUSTER_ID
from tests.simulation.clock import SeededIds
from tests.unit.coordination.memory_disk import InlineExecutor, MemoryDisk, nothing_more
from tests.unit.coordination.stage import open_server

META = "/data/meta.json"


async def _establish(
    store: MetadataStore, disk: MemoryDisk, *, broker_id: int = 1, seed: int = 0
) -> Identity:
    return await establish_identity(
        store=store,
        disk=disk,
        data_dir="/data",
        broker_id=NodeId(broker_id),
        ids=SeededIds(seed),
        executor=InlineExecutor(),
    )


async def _empty() -> MetadataStore:
    return await EmbeddedStore.connect(await open_server())


async def test_the_first_start_founds_a_cluster() -> None:
    store, disk = await _empty(), MemoryDisk()
    identity = await _establish(store, disk)
    content, _ = await store.get(CLUSTER_ID)
    assert unpack(content, CLUSTER_ID)["id"] == identity.cluster_id
    assert len(identity.directory_id) == 16
    written = json.loads(disk.after_crash(nothing_more).content(META))
    assert written == {
        "format": 1,
        "cluster_id": identity.cluster_id,
        "broker_id": 1,
        "directory_id": id_text(identity.directory_id),
    }
    assert await store.children("/brokers") == ["epochs", "ids"]


async def test_the_next_start_goes_on() -> None:
    store, disk = await _empty(), MemoryDisk()
    first = await _establish(store, disk, seed=1)
    before = disk.content(META)
    assert await _establish(store, disk, seed=2) == first
    assert disk.content(META) == before


async def test_another_broker_joins() -> None:
    store = await _empty()
    first = await _establish(store, MemoryDisk(), seed=1)
    second = await _establish(store, MemoryDisk(), broker_id=2, seed=2)
    assert second.cluster_id == first.cluster_id
    assert second.directory_id != first.directory_id


async def test_a_crash_between_founding_and_meta_json_is_healed_by_the_next_start() -> None:
    store, disk = await _empty(), MemoryDisk()
    disk.steps_left = 0
    with pytest.raises(Exception, match=r"meta\.json"):
        await _establish(store, disk, seed=1)
    content, _ = await store.get(CLUSTER_ID)
    identity = await _establish(store, disk.after_crash(nothing_more), seed=2)
    assert identity.cluster_id == unpack(content, CLUSTER_ID)["id"]


@pytest.mark.rule("BP-7")
async def test_an_empty_metadata_store_is_not_the_directorys_cluster() -> None:
    disk = MemoryDisk()
    identity = await _establish(await _empty(), disk)
    before, store = disk.content(META), await _empty()
    with pytest.raises(StartRefusedError, match=identity.cluster_id):
        await _establish(store, disk)
    assert disk.content(META) == before
    assert await store.children("/") == [], "a refused start founds nothing"


@pytest.mark.rule("BP-7")
async def test_a_directory_of_another_cluster_is_refused() -> None:
    disk, store = MemoryDisk(), await _empty()
    await _establish(await _empty(), disk, seed=1)
    await _establish(store, MemoryDisk(), seed=2)
    with pytest.raises(StartRefusedError, match="another data directory"):
        await _establish(store, disk)


@pytest.mark.rule("BP-7")
async def test_a_directory_of_another_broker_is_refused() -> None:
    disk, store = MemoryDisk(), await _empty()
    await _establish(store, disk)
    with pytest.raises(StartRefusedError, match=r"broker\.id=1"):
        await _establish(store, disk, broker_id=2)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"cluster_id":"x"}', b"\xff"])
async def test_a_meta_json_that_cannot_be_read_is_refused(content: bytes) -> None:
    disk, store = MemoryDisk({META: content}), await _empty()
    with pytest.raises(CorruptionError, match=META):
        await _establish(store, disk)
    assert disk.content(META) == content
    assert await store.children("/") == []


async def test_a_meta_json_of_a_newer_version_is_refused() -> None:
    with pytest.raises(StartRefusedError, match="newer"):
        await _establish(await _empty(), MemoryDisk({META: b'{"format":2}'}))
