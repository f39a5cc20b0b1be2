"""A store is used once it has proved to be the archive's; another one refuses the start."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from everlog.format.object_keys import PartitionPath, Stamp, Uid
from everlog.format.pointer import encode_pointer, unclaimed
from everlog.format.root import RootRef
from everlog.model.buffer import Buffer
from everlog.model.ids import PartitionId, TopicId
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.stores.errors import (
    ObjectExistsError,
    ObjectMissingError,
    StoreUnavailableError,
)
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import object_key
from everlog.stores.object_store import LIST_OBJECTS_MAX, CreatedObject, ObjectInfo, ObjectStore
from service.coordination.archive_record import (
    read_archive_record,
)
from service.coordination.identity import StartRefusedError
from service.coordination.znodes import tier_path
from service.partition.archive_home import ArchiveHome
from service.partition.tier_pointers import any_committed_root
from tests.contract.object_stores import SteadyClock
from tests.simulation.clock import SeededIds
from tests.unit.tiering.site import CLUSTER, Metadata, metadata_tree

TOPIC = TopicId(b"0123456789abcdef")
MARKER = object_key(f"meta/{CLUSTER}/cluster.json")


class AwayStore(MemoryObjectStore):
    """A store that does not answer while it is away."""

    def __init__(self) -> None:
        super().__init__(clock=SteadyClock())
        self.is_away = True
        self.asked = asyncio.Event()

    def _answer(self) -> None:
        self.asked.set()
        if self.is_away:
            raise StoreUnavailableError("read", "", "away")

    async def read_all(self, key: str, *, size_max: int) -> bytes:
        self._answer()
        return await super().read_all(object_key(key), size_max=size_max)

    async def head(self, key: str) -> ObjectInfo:
        self._answer()
        return await super().head(object_key(key))

    async def list(
        self, prefix: str, *, start_after: str | None = None, limit: int = LIST_OBJECTS_MAX
    ) -> Sequence[ObjectInfo]:
        self._answer()
        return await super().list(prefix, start_after=start_after, limit=limit)


@pytest.fixture
async def metadata() -> AsyncIterator[Metadata]:
    async with metadata_tree() as metadata:
        yield metadata


def a_store() -> MemoryObjectStore:
    return MemoryObjectStore(clock=SteadyClock())


def home_of(
    metadata: Metadata, store: ObjectStore, url: str = "file:///a", **seconds: float
) -> ArchiveHome:
    return ArchiveHome(
        url=url,
        cluster_id=CLUSTER,
        metadata=metadata.store,
        store=store,
        ids=SeededIds(hash(url)),
        **{"retry_seconds": 0, **seconds},
    )


async def taken(
    metadata: Metadata, store: ObjectStore, url: str = "file:///a", **seconds: float
) -> ArchiveHome:
    home = home_of(metadata, store, url, **seconds)
    await home.settle()
    await home.run()
    return home


async def recorded_url(metadata: Metadata) -> str | None:
    found = await read_archive_record(metadata.store)
    return None if found is None else found[0].url


async def with_a_committed_root(metadata: Metadata, store: ObjectStore | None) -> None:
    """Make a cluster that has archived something, before there was a record of its store."""
    partition = PartitionId(TOPIC, 0)
    await metadata.add(partition)
    ref = RootRef(stamp=Stamp(LeaderEpoch(1), 1, 1), uid=Uid(bytes(16)), sha256=bytes(32))
    first = unclaimed(Offset(0))
    pointer = type(first)(
        stamp=ref.stamp,
        root=ref,
        tiered_start=Offset(0),
        tiered_end=Offset(5),
        tiered_end_epoch=LeaderEpoch(1),
        bytes=10,
        max_timestamp=1,
    )
    await metadata.store.set(tier_path(partition), encode_pointer(pointer), version=0)
    if store is not None:
        path = PartitionPath(cluster_id=CLUSTER, topic_id=TOPIC, partition=0)
        await store.create(object_key(ref.key(path).text), b"root")


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not is_so():
            await asyncio.sleep(0)


async def test_a_cluster_takes_the_first_store_that_it_meets(metadata: Metadata) -> None:
    store = a_store()
    home = await taken(metadata, store)
    assert home.is_known
    assert await recorded_url(metadata) == "file:///a"
    assert await store.head(MARKER)
    await home.admit("read", "k")


async def test_a_start_does_not_need_the_store(metadata: Metadata) -> None:
    store = AwayStore()
    home = home_of(metadata, store)
    await home.settle()
    assert not store.asked.is_set()
    running = asyncio.create_task(home.run())
    await until(lambda: home.problem is not None)
    with pytest.raises(StoreUnavailableError, match="away"):
        await home.admit("read", "k")
    assert not home.is_elsewhere
    store.is_away = False
    await running
    await home.admit("read", "k")


async def test_a_call_waits_for_the_first_answer(metadata: Metadata) -> None:
    home = home_of(metadata, a_store())
    call = asyncio.create_task(home.admit("read", "k"))
    await asyncio.sleep(0)
    assert not call.done()
    await home.run()
    await call


async def test_the_same_store_is_known_again(metadata: Metadata) -> None:
    store = a_store()
    await taken(metadata, store)
    assert (await taken(metadata, store)).is_known


async def test_an_interrupted_taking_goes_on_with_the_marker_that_is_there(
    metadata: Metadata,
) -> None:
    store = a_store()
    async with metadata_tree() as lost:
        await taken(lost, store)
    marker = await store.read_all(MARKER, size_max=1000)
    await taken(metadata, store)
    assert await store.read_all(MARKER, size_max=1000) == marker
    found = await read_archive_record(metadata.store)
    assert found is not None
    assert found[0].store_id.encode() in marker


class HidingStore(MemoryObjectStore):
    """A store that shows objects only at a later look, and may claim to have one that it lacks."""

    def __init__(self, *, hidden: int, claims: int = 0) -> None:
        super().__init__(clock=SteadyClock())
        self._hidden = hidden
        self._claims = claims

    async def read_all(self, key: str, *, size_max: int) -> bytes:
        name = object_key(key)
        if self._hidden:
            self._hidden -= 1
            raise ObjectMissingError(name)
        return await super().read_all(name, size_max=size_max)

    async def create(self, key: str, body: Buffer, *, crc32c: int | None = None) -> CreatedObject:
        name = object_key(key)
        if self._claims:
            self._claims -= 1
            raise ObjectExistsError(name)
        return await super().create(name, body, crc32c=crc32c)


@pytest.mark.rule("TIER-9")
@pytest.mark.parametrize("how", ["it is there, and hidden", "it is not there"])
async def test_a_marker_that_was_not_seen_in_the_store_is_never_recorded(
    metadata: Metadata, how: str
) -> None:
    if how == "it is not there":
        store = HidingStore(hidden=0, claims=1)
    else:
        store = HidingStore(hidden=4)
        async with metadata_tree() as earlier:
            home = home_of(earlier, store)
            await home._create_marker()  # and then it was killed
    await taken(metadata, store)
    found = await read_archive_record(metadata.store)
    assert found is not None
    assert found[0].store_id.encode() in await store.read_all(MARKER, size_max=1000)
    assert (await taken(metadata, store)).is_known


@pytest.mark.parametrize("other", ["empty", "another cluster's", "another", "away"])
async def test_another_store_refuses_the_start_and_says_where_the_archive_is(
    metadata: Metadata, other: str
) -> None:
    await taken(metadata, a_store())
    store: ObjectStore = AwayStore() if other == "away" else a_store()
    if other == "another cluster's":
        await store.create(object_key("meta/x/cluster.json"), b"{}")
    elif other == "another":
        async with metadata_tree() as stranger:
            await taken(stranger, store, "file:///b")
    with pytest.raises(StartRefusedError, match=r"in file:///a.*start with --store 'file:///a'"):
        await home_of(metadata, store, "file:///b").settle()
    assert await recorded_url(metadata) == "file:///a"


async def test_a_store_that_has_moved_is_known_by_its_id(metadata: Metadata) -> None:
    store = a_store()
    await taken(metadata, store)
    home = home_of(metadata, store, "file:///b")
    await home.settle()
    assert home.is_known
    assert await recorded_url(metadata) == "file:///b"


async def test_another_store_at_the_same_url_is_not_used_until_the_right_one_is_back(
    metadata: Metadata,
) -> None:
    right, stores = a_store(), list[ObjectStore]()
    await taken(metadata, right)
    stores.append(a_store())

    class Mount(MemoryObjectStore):
        async def read_all(self, key: str, *, size_max: int) -> bytes:
            return await stores[-1].read_all(object_key(key), size_max=size_max)

    home = home_of(metadata, Mount(clock=SteadyClock()))
    await home.settle()
    running = asyncio.create_task(home.run())
    await until(lambda: home.is_elsewhere)
    with pytest.raises(StoreUnavailableError, match="not the store of this archive"):
        await home.admit("read", "k")
    stores.append(right)
    await running
    assert home.is_known
    assert not home.is_elsewhere


async def test_an_older_cluster_takes_the_store_that_holds_what_it_has_archived(
    metadata: Metadata,
) -> None:
    store = a_store()
    await with_a_committed_root(metadata, store)
    home = home_of(metadata, store)
    await home.settle()
    assert home.is_known
    assert await recorded_url(metadata) == "file:///a"


async def test_an_older_cluster_refuses_a_store_without_what_it_has_archived(
    metadata: Metadata,
) -> None:
    await with_a_committed_root(metadata, None)
    with pytest.raises(StartRefusedError, match="does not hold the archive"):
        await home_of(metadata, a_store()).settle()
    assert await recorded_url(metadata) is None


async def test_an_older_cluster_starts_while_its_store_is_away(metadata: Metadata) -> None:
    store = AwayStore()
    await with_a_committed_root(metadata, store)
    home = home_of(metadata, store)
    await home.settle()
    assert not home.is_known


async def test_what_is_being_deleted_proves_nothing(metadata: Metadata) -> None:
    await with_a_committed_root(metadata, None)
    assert await any_committed_root(metadata.store, CLUSTER) is not None
    await metadata.delete_topic(TOPIC, partitions=1)
    assert await any_committed_root(metadata.store, CLUSTER) is None
