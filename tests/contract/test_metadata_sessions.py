"""Sessions, watches and durability: more promises of the metadata store's port."""

import asyncio

import pytest

from everlog.model.errors import FencedError, RejectedError
from service.coordination.metadata_store import (
    Check,
    Create,
    Delete,
    EphemeralParentError,
    MetadataStore,
    NoNodeError,
    SessionExpiredError,
    SessionState,
    Set,
)
from tests.contract.metadata_servers import MetadataServer


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


@pytest.mark.rule("REL-K8")
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
