"""The promises of the metadata store's port, on every implementation."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from service.coordination.metadata_store import (
    NODE_BYTES_MAX,
    BadVersionError,
    Check,
    Create,
    Delete,
    InvalidPathError,
    MetadataStore,
    NodeExistsError,
    NodeTooLargeError,
    NoNodeError,
    NotEmptyError,
    Set,
    Stat,
)

# ---- nodes and versions


async def test_a_created_node_can_be_read(store: MetadataStore) -> None:
    assert await store.create("/a", b"one") == "/a"
    data, stat = await store.get("/a")
    assert data == b"one"
    assert stat.version == 0
    assert stat.ephemeral_owner is None
    assert stat.czxid == stat.mzxid


async def test_a_node_of_another_session_is_seen_after_a_sync(
    store: MetadataStore, other: MetadataStore
) -> None:
    await store.create("/a", b"one")
    await other.sync("/a")
    assert (await other.get("/a"))[0] == b"one"


async def test_each_set_raises_the_version_by_one(store: MetadataStore) -> None:
    await store.create("/a", b"zero")
    created = (await store.get("/a"))[1]
    for version in range(3):
        stat = await store.set("/a", b"%d" % version, version=version)
        assert stat.version == version + 1
        assert stat.czxid == created.czxid
        assert stat.mzxid > created.mzxid
    data, stat = await store.get("/a")
    assert (data, stat.version) == (b"2", 3)


async def test_a_set_with_an_old_version_changes_nothing(store: MetadataStore) -> None:
    await store.create("/a", b"zero")
    await store.set("/a", b"one", version=0)
    with pytest.raises(BadVersionError) as refusal:
        await store.set("/a", b"other", version=0)
    assert refusal.value.path == "/a"
    assert (await store.get("/a"))[0] == b"one"


async def test_of_many_writers_of_one_version_exactly_one_wins(
    store: MetadataStore, other: MetadataStore
) -> None:
    await store.create("/a")
    stores = [store, other] * 4
    outcomes = await asyncio.gather(
        *(each.set("/a", b"%d" % n, version=0) for n, each in enumerate(stores)),
        return_exceptions=True,
    )
    won = [n for n, outcome in enumerate(outcomes) if isinstance(outcome, Stat)]
    assert len(won) == 1
    assert sum(isinstance(outcome, BadVersionError) for outcome in outcomes) == 7
    assert (await store.get("/a"))[0] == b"%d" % won[0]


async def test_a_recreated_node_is_told_from_the_old_one_by_its_czxid(store: MetadataStore) -> None:
    await store.create("/a")
    first = (await store.get("/a"))[1]
    await store.delete("/a", version=0)
    await store.create("/a")
    second = (await store.get("/a"))[1]
    assert second.version == first.version == 0
    assert second.czxid > first.czxid


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.get("/none"),
        lambda store: store.set("/none", b"", version=0),
        lambda store: store.delete("/none", version=0),
        lambda store: store.children("/none"),
        lambda store: store.create("/none/child"),
        lambda store: store.multi([Check("/none", 0)]),
    ],
    ids=["get", "set", "delete", "children", "create", "check"],
)
async def test_a_missing_node_is_an_error(
    store: MetadataStore, call: Callable[[MetadataStore], Awaitable[object]]
) -> None:
    with pytest.raises(NoNodeError):
        await call(store)


async def test_a_missing_node_does_not_exist(store: MetadataStore) -> None:
    assert await store.exists("/none") is None
    await store.create("/some")
    stat = await store.exists("/some")
    assert stat is not None
    assert stat.version == 0


async def test_many_nodes_are_read_in_the_order_asked_for(store: MetadataStore) -> None:
    await store.create("/a", b"A")
    await store.create("/b", b"B")
    found = await store.get_many(["/b", "/none", "/a"])
    assert [node and node[0] for node in found] == [b"B", None, b"A"]
    assert await store.get_many([]) == []


async def test_a_taken_path_cannot_be_created(store: MetadataStore) -> None:
    await store.create("/a", b"first")
    with pytest.raises(NodeExistsError):
        await store.create("/a", b"second")
    assert (await store.get("/a"))[0] == b"first"


async def test_a_node_with_children_cannot_be_deleted(store: MetadataStore) -> None:
    await store.create("/a")
    await store.create("/a/b")
    with pytest.raises(NotEmptyError):
        await store.delete("/a", version=0)
    await store.delete("/a/b", version=0)
    await store.delete("/a", version=0)
    assert await store.exists("/a") is None


async def test_a_delete_needs_the_version(store: MetadataStore) -> None:
    await store.create("/a")
    await store.set("/a", b"", version=0)
    with pytest.raises(BadVersionError):
        await store.delete("/a", version=0)
    assert await store.exists("/a") is not None


async def test_the_root_cannot_be_deleted(store: MetadataStore) -> None:
    for call in (store.delete("/", version=0), store.multi([Delete("/", 0)])):
        with pytest.raises(InvalidPathError, match="root"):
            await call
    await store.create("/a")


async def test_children_are_listed_by_name(store: MetadataStore) -> None:
    await store.create("/a")
    for name in ("c", "a", "b"):
        await store.create(f"/a/{name}")
    await store.create("/a/b/deeper")
    assert await store.children("/a") == ["a", "b", "c"]
    assert await store.children("/a/c") == []
    assert "a" in await store.children("/")


# ---- limits


async def test_a_node_may_be_as_large_as_the_limit_and_no_larger(store: MetadataStore) -> None:
    largest = bytes(NODE_BYTES_MAX - len("/a"))
    await store.create("/a", largest)
    assert (await store.get("/a"))[0] == largest
    with pytest.raises(NodeTooLargeError, match=str(NODE_BYTES_MAX)):
        await store.set("/a", largest + b"+", version=0)
    assert (await store.get("/a"))[1].version == 0


async def test_a_multi_may_not_be_larger_than_one_node(store: MetadataStore) -> None:
    half = bytes(NODE_BYTES_MAX // 2)
    with pytest.raises(NodeTooLargeError):
        await store.multi([Create("/a", half), Create("/b", half)])
    assert await store.exists("/a") is None


@pytest.mark.parametrize("path", ["", "a", "//", "/a/", "/a//b", "/./a", "/a/..", "/a\0b", "/a\nb"])
async def test_a_malformed_path_is_refused(store: MetadataStore, path: str) -> None:
    with pytest.raises(InvalidPathError):
        await store.create(path)
    with pytest.raises(InvalidPathError):
        await store.get(path)


# ---- sequential nodes


async def test_sequential_nodes_are_numbered_in_order_of_creation(store: MetadataStore) -> None:
    await store.create("/q")
    paths = [await store.create("/q/n-", b"%d" % n, sequential=True) for n in range(3)]
    assert paths == ["/q/n-0000000000", "/q/n-0000000001", "/q/n-0000000002"]
    assert (await store.get(paths[1]))[0] == b"1"


async def test_a_number_never_comes_again(store: MetadataStore) -> None:
    await store.create("/q")
    first = await store.create("/q/n-", sequential=True)
    await store.delete(first, version=0)
    assert await store.create("/q/n-", sequential=True) == "/q/n-0000000001"


@pytest.mark.rule("BP-D8")
async def test_a_failed_multi_leaves_no_gap_in_the_numbers(store: MetadataStore) -> None:
    await store.create("/q")
    await store.create("/q/n-", sequential=True)
    for _ in range(3):
        with pytest.raises(NoNodeError):
            await store.multi(
                [Create("/q/n-", sequential=True), Create("/q/n-", sequential=True), Check("/x", 0)]
            )
    assert await store.create("/q/n-", sequential=True) == "/q/n-0000000001"


async def test_sequential_creates_of_many_sessions_have_one_order(
    store: MetadataStore, other: MetadataStore
) -> None:
    await store.create("/q")
    paths = await asyncio.gather(
        *(each.create("/q/n-", sequential=True) for each in [store, other] * 5)
    )
    assert sorted(paths) == [f"/q/n-{n:010d}" for n in range(10)]


# ---- multi


async def test_a_multi_does_everything_in_order(store: MetadataStore) -> None:
    await store.create("/a", b"zero")
    await store.create("/gone")
    results = await store.multi(
        [
            Check("/a", 0),
            Set("/a", b"one", 0),
            Create("/a/child", b"c"),
            Create("/a/seq-", sequential=True),
            Set("/a/child", b"d", 0),
            Delete("/gone", 0),
        ]
    )
    assert results[0] is None
    assert isinstance(results[1], Stat)
    assert results[1].version == 1
    assert results[2:4] == ["/a/child", "/a/seq-0000000001"]
    assert isinstance(results[4], Stat)
    assert results[5] is None
    assert (await store.get("/a/child"))[0] == b"d"
    assert await store.exists("/gone") is None


@pytest.mark.rule("REL-K1")
async def test_a_failed_multi_changes_nothing_and_raises_its_first_real_error(
    store: MetadataStore,
) -> None:
    await store.create("/a", b"zero")
    before = (await store.get("/a"))[1]
    with pytest.raises(BadVersionError) as refusal:
        await store.multi(
            [
                Create("/b"),
                Create("/a/c", ephemeral=True),
                Set("/a", b"one", 0),
                Check("/a", 7),
                Create("/a"),
            ]
        )
    assert refusal.value.path == "/a"
    data, stat = await store.get("/a")
    assert (data, stat) == (b"zero", before)
    assert await store.exists("/b") is None
    assert await store.children("/a") == []


async def test_a_multi_sees_its_own_earlier_operations(store: MetadataStore) -> None:
    await store.multi([Create("/a"), Create("/a/b"), Delete("/a/b", 0), Delete("/a", 0)])
    assert await store.exists("/a") is None
    with pytest.raises(NotEmptyError):
        await store.multi([Create("/a"), Create("/a/b"), Delete("/a", 0)])
    assert await store.exists("/a") is None


async def test_an_empty_multi_does_nothing(store: MetadataStore) -> None:
    assert await store.multi([]) == []
