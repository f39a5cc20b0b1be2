"""Partitions and roots are found by the names in a bucket alone."""

from pathlib import Path

import pytest

from everlog.format.object_keys import PartitionPath, RootKey, SegmentKey, Stamp, Uid
from everlog.model.ids import TopicId
from everlog.model.offsets import LeaderEpoch, Offset, OffsetRange
from everlog.stores.filesystem import FilesystemObjectStore
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import object_key
from everlog.stores.object_store import ObjectStore
from service.tiering.archive_listing import partitions_in, root_names
from tests.contract.object_stores import FailingStore, SeededIds, SteadyClock

IDS = SeededIds(3)
TOPICS = [TopicId(bytes([number]) * 16) for number in range(3)]


def path(topic: int, partition: int, cluster: str = "c") -> PartitionPath:
    return PartitionPath(cluster_id=cluster, topic_id=TOPICS[topic], partition=partition)


def segment(of: PartitionPath, base: int) -> str:
    offsets = OffsetRange(Offset(base), Offset(base + 1))
    stamp = Stamp(LeaderEpoch(1), 1, 1)
    return SegmentKey(path=of, offsets=offsets, stamp=stamp, uid=Uid(IDS.uuid())).text


def root(of: PartitionPath, *, epoch: int = 1, claim: int = 1, ver: int = 1) -> RootKey:
    return RootKey(path=of, stamp=Stamp(LeaderEpoch(epoch), claim, ver), uid=Uid(IDS.uuid()))


def make_files(root: Path, names: list[str]) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


async def put(store: ObjectStore, *names: str) -> None:
    for name in names:
        await store.overwrite(object_key(name), b"")


@pytest.mark.parametrize("kind", ["memory", "filesystem"])
async def test_every_partition_is_found_and_a_long_one_is_not_gone_through(
    kind: str, tmp_path: Path
) -> None:
    inner: ObjectStore = (
        MemoryObjectStore(clock=SteadyClock())
        if kind == "memory"
        else FilesystemObjectStore(str(tmp_path / "store"))
    )
    store = FailingStore(inner, lambda: (None, None))
    few = [path(topic, partition) for topic in range(3) for partition in (0, 1, 10, 100_000)]
    long_ = path(0, 7)
    other = path(0, 0, "other-cluster")
    await put(store, *(segment(each, 0) for each in (*few, other)))
    many = [segment(long_, base) for base in range(2500 if kind == "memory" else 1100)]
    if kind == "memory":
        await put(store, *many)
    else:  # each sync would take its time
        make_files(tmp_path / "store", many)
    await put(store, "meta/c/cluster.json", "0000/notes.txt", "abcd/c/nonsense/000000/seg/x")
    store.calls.clear()
    assert set(await partitions_in(store)) == {*few, long_, other}
    assert store.calls.count("list") <= 16 + 2
    mine = await partitions_in(store, lambda each: each.cluster_id != "c")
    assert mine == [other]
    await store.close()


async def test_roots_are_named_newest_first_and_by_claim_before_commit() -> None:
    store = MemoryObjectStore(clock=SteadyClock())
    mine = path(0, 0)
    old, new, newest = (
        root(mine, epoch=1, claim=1, ver=9),
        root(mine, epoch=1, claim=2, ver=3),
        root(mine, epoch=2, claim=1, ver=1),
    )
    await put(store, old.text, newest.text, new.text, f"{mine.prefix}root/stray")
    await put(store, root(path(0, 1), ver=99).text)
    names = await root_names(store, mine)
    assert names.keys == (newest, new, old)
    assert names.hint is None
    assert (await root_names(store, path(2, 2))).newest is None


async def test_a_hint_that_is_no_pointer_counts_as_none() -> None:
    store = MemoryObjectStore(clock=SteadyClock())
    mine = path(0, 0)
    await store.create(object_key(f"{mine.prefix}root/LATEST"), b"nonsense")
    assert (await root_names(store, mine)).hint is None
    await store.overwrite(object_key(f"{mine.prefix}root/LATEST"), bytes(10_000))
    assert (await root_names(store, mine)).hint is None
