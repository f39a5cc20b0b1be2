"""The promises of the metadata store's port, on every implementation."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from everlog.model.errors import FencedError, RejectedError
from service.coordination.metadata_store import (
    NODE_BYTES_MAX,
    BadVersionError,
    Check,
    Create,
    Delete,
    EphemeralParentError,
    InvalidPathError,
    MetadataStore,
    NodeExistsError,
    NodeTooLargeError,
    NoNodeError,
    NotEmptyError,
    SessionExpiredError,
    SessionState,
    Set,
    Stat,
)
from tests.contract.metadata_servers import EmbeddedServer, MetadataServer

SERVERS: dict[str, Callable[[], MetadataServer]] = {"embedded": EmbeddedServer}


@pytest.fixture(params=sorted(SERVERS))
async def server(request: pytest.FixtureRequest) -> AsyncIterator[MetadataServer]:
    server = SERVERS[request.param]()
    yield server
    await server.stop()


@pytest.fixture
async def store(server: MetadataServer) -> MetadataStore:
    return await server.connect()


@pytest.fixture
async def other(server: MetadataServer) -> MetadataStore:
    return await server.connect()


class Hints:
    """Collects what watches say."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self._heard = asyncio.Event()

    def __call__(self, path: str) -> None:
        self.paths.append(path)
        self._heard.set()

    async def next(self) -> str:
        async with asyncio.timeout(5):
            await self._heard.wait()
        self._heard.clear()
        return self.paths[-1]


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


# ---- sessions


async def test_ephemeral_nodes_vanish_with_their_session(
    server: MetadataServer, store: MetadataStore, other: MetadataStore
) -> None:
    await store.create("/members")
    await other.create("/members/other", ephemeral=True)
    await other.create("/stays")
    stat = (await store.get("/members/other"))[1]
    assert stat.ephemeral_owner == other.session_id
    await other.close()
    await store.sync("/")
    assert await store.children("/members") == []
    assert await store.exists("/stays") is not None


async def test_a_closed_session_refuses_every_call(store: MetadataStore) -> None:
    states: list[SessionState] = []
    store.subscribe(states.append)
    before = store.state
    await store.close()
    await store.close()
    assert (before, store.state) == (SessionState.CONNECTED, SessionState.LOST)
    assert states == [SessionState.LOST]
    for call in (store.get("/"), store.create("/a"), store.multi([]), store.sync("/")):
        with pytest.raises(SessionExpiredError) as refusal:
            await call
        assert isinstance(refusal.value, FencedError)


async def test_an_expired_session_learns_of_it_and_loses_its_nodes(
    server: MetadataServer, store: MetadataStore, other: MetadataStore
) -> None:
    lost = asyncio.Event()
    other.subscribe(lambda state: lost.set() if state is SessionState.LOST else None)
    await other.create("/mine", ephemeral=True)
    await server.expire(other)
    async with asyncio.timeout(5):
        await lost.wait()
    await store.sync("/")
    assert await store.exists("/mine") is None
    with pytest.raises(SessionExpiredError):
        await other.create("/mine", ephemeral=True)


async def test_sessions_have_different_ids(store: MetadataStore, other: MetadataStore) -> None:
    assert store.session_id != other.session_id


async def test_an_ephemeral_node_has_no_children(store: MetadataStore) -> None:
    await store.create("/a", ephemeral=True)
    with pytest.raises(EphemeralParentError) as refusal:
        await store.create("/a/b")
    assert isinstance(refusal.value, RejectedError)


# ---- watches


async def test_a_data_watch_is_called_once(store: MetadataStore, other: MetadataStore) -> None:
    await store.create("/a")
    hints = Hints()
    await store.get("/a", watch=hints)
    await other.set("/a", b"one", version=0)
    assert await hints.next() == "/a"
    await other.set("/a", b"two", version=1)
    await store.sync("/a")
    assert hints.paths == ["/a"]


async def test_a_watch_on_a_missing_node_hears_of_its_creation(
    store: MetadataStore, other: MetadataStore
) -> None:
    hints = Hints()
    assert await store.exists("/a", watch=hints) is None
    await other.create("/b")
    await other.create("/a")
    assert await hints.next() == "/a"
    assert hints.paths == ["/a"]


async def test_a_watch_hears_of_the_deletion(store: MetadataStore, other: MetadataStore) -> None:
    await store.create("/a")
    data_hints, exists_hints, child_hints = Hints(), Hints(), Hints()
    await store.get("/a", watch=data_hints)
    await store.exists("/a", watch=exists_hints)
    await store.children("/a", watch=child_hints)
    await other.delete("/a", version=0)
    assert await data_hints.next() == await exists_hints.next() == await child_hints.next() == "/a"


async def test_a_child_watch_hears_of_names_and_not_of_bytes(
    store: MetadataStore, other: MetadataStore
) -> None:
    await store.create("/a")
    await store.create("/a/b")
    hints = Hints()
    await store.children("/a", watch=hints)
    await other.set("/a/b", b"x", version=0)
    await other.set("/a", b"x", version=0)
    await store.sync("/a")
    assert hints.paths == []
    await other.create("/a/c")
    assert await hints.next() == "/a"
    await store.children("/a", watch=hints)
    await other.delete("/a/b", version=1)
    assert await hints.next() == "/a"


async def test_a_data_watch_hears_nothing_of_children(
    store: MetadataStore, other: MetadataStore
) -> None:
    await store.create("/a")
    hints = Hints()
    await store.get("/a", watch=hints)
    await other.create("/a/b")
    await store.sync("/a")
    assert hints.paths == []


async def test_a_node_replaced_in_one_multi_is_news_to_those_who_watch_its_parent(
    store: MetadataStore, other: MetadataStore
) -> None:
    await store.create("/a")
    await store.create("/a/b")
    hints = Hints()
    await store.children("/a", watch=hints)
    await other.multi([Delete("/a/b", 0), Create("/a/b")])
    assert await hints.next() == "/a"


async def test_a_failed_multi_wakes_nobody(store: MetadataStore, other: MetadataStore) -> None:
    await store.create("/a")
    hints = Hints()
    await store.get("/a", watch=hints)
    await store.children("/", watch=hints)
    with pytest.raises(NoNodeError):
        await other.multi([Set("/a", b"x", 0), Create("/b"), Check("/none", 0)])
    await store.sync("/")
    assert hints.paths == []


async def test_the_end_of_a_session_is_news_to_those_who_watch_its_nodes(
    store: MetadataStore, other: MetadataStore
) -> None:
    await other.create("/mine", ephemeral=True)
    hints = Hints()
    await store.exists("/mine", watch=hints)
    await other.close()
    assert await hints.next() == "/mine"


async def test_the_hint_comes_before_the_change_can_be_seen(
    store: MetadataStore, other: MetadataStore
) -> None:
    await store.create("/a", b"old")
    hints = Hints()
    await store.get("/a", watch=hints)
    writing = asyncio.ensure_future(other.set("/a", b"new", version=0))
    while (await store.get("/a"))[0] == b"old":
        await asyncio.sleep(0)
    assert hints.paths == ["/a"]
    await writing


# ---- order and durability


async def test_calls_of_one_session_take_effect_in_their_order(store: MetadataStore) -> None:
    await store.create("/a", b"-1")
    calls = [store.set("/a", b"%d" % n, version=n) for n in range(20)]
    stats = await asyncio.gather(*calls)
    assert [stat.version for stat in stats] == list(range(1, 21))
    assert [stat.mzxid for stat in stats] == sorted({stat.mzxid for stat in stats})


async def test_what_was_acknowledged_survives_a_restart(server: MetadataServer) -> None:
    store = await server.connect()
    await store.create("/a", b"\x00\xff binary")
    await store.create("/a/q")
    await store.create("/a/q/n-", sequential=True)
    await store.set("/a", b"\x01\xfe", version=0)
    before = await store.get("/a")
    await store.create("/gone")
    await store.delete("/gone", version=0)
    await server.restart()
    store = await server.connect()
    assert await store.get("/a") == before
    assert await store.exists("/gone") is None
    assert await store.create("/a/q/n-", sequential=True) == "/a/q/n-0000000001"
    assert (await store.set("/a", b"", version=1)).mzxid > before[1].mzxid


async def test_a_session_id_is_not_used_again_after_a_restart(server: MetadataServer) -> None:
    seen: set[int] = set()
    for _ in range(3):
        store = await server.connect()
        assert store.session_id not in seen
        seen.add(store.session_id)
        await server.restart()
