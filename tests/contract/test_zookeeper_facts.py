"""What real ZooKeeper and kazoo do, fact by fact, and what the store makes of it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, Future
from dataclasses import replace
from typing import Any

import pytest

from service.app.system import SystemClock
from service.coordination.metadata_store import (
    NODE_BYTES_MAX,
    BadVersionError,
    Check,
    ConnectionLostError,
    Create,
    NodeTooLargeError,
    SessionExpiredError,
    SessionState,
    Set,
)
from service.coordination.zookeeper.settings import ZooKeeperAddress
from service.coordination.zookeeper.store import ZooKeeperStore
from tests.contract.cut_proxy import CutProxy
from tests.contract.metadata_servers import KazooMetadata, ZooKeeperMetadata
from tests.contract.zookeeper_server import ZooKeeperEnsemble
from tests.waiting import WAIT_SECONDS_MAX, until

SESSION_SECONDS = 2.0


@pytest.fixture
async def real_tree(zookeeper: ZooKeeperEnsemble) -> AsyncIterator[ZooKeeperMetadata]:
    """A path of its own on ZooKeeper itself, for what no server in this process can be put to."""
    metadata = ZooKeeperMetadata(zookeeper)
    yield metadata
    await metadata.stop()


class States:
    """Hears the states of a session."""

    def __init__(self, store: ZooKeeperStore) -> None:
        self.heard: list[SessionState] = []
        self._news = asyncio.Event()
        store.subscribe(self._on_state)

    def _on_state(self, state: SessionState) -> None:
        self.heard.append(state)
        self._news.set()

    async def until(self, state: SessionState) -> None:
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            while state not in self.heard:
                await self._news.wait()
                self._news.clear()


@pytest.mark.rule("REL-K1")
async def test_a_transaction_that_failed_is_an_error_with_the_path_of_what_failed(
    tree: KazooMetadata,
) -> None:
    store = await tree.connect()
    await store.create("/a")
    with pytest.raises(BadVersionError) as refusal:
        await store.multi([Create("/b"), Check("/a", 7), Check("/none", 0)])
    assert refusal.value.path == "/a"


class OnceExecutor(Executor):
    """Runs the first job, the start of kazoo, and no other: the farewell does not happen."""

    def __init__(self) -> None:
        self._has_run = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        if not self._has_run:
            self._has_run = True
            future.set_result(fn(*args, **kwargs))
        return future


@pytest.mark.rule("REL-K2")
async def test_a_client_whose_session_has_expired_never_opens_another(
    tree: KazooMetadata,
) -> None:
    settings = tree.settings(session_seconds=SESSION_SECONDS)
    store = await ZooKeeperStore.connect(settings, clock=SystemClock(), executor=OnceExecutor())
    client, states = store.session.client, States(store)
    connections: list[bool] = []
    client.add_listener(lambda _state: connections.append(client.connected))
    await tree.expire(store)
    await states.until(SessionState.LOST)
    # Nobody has stopped kazoo, so it tries to connect again, many times.
    await asyncio.sleep(1.0)
    assert not client.connected
    assert True not in connections
    assert states.heard[-1] is SessionState.LOST
    with pytest.raises(SessionExpiredError):
        await store.create("/mine", ephemeral=True)
    await asyncio.to_thread(client.stop)
    await asyncio.to_thread(client.close)


@pytest.mark.rule("REL-K3")
async def test_silence_is_no_end_but_it_is_measured_and_ends_the_calls(
    real_tree: ZooKeeperMetadata, zookeeper: ZooKeeperEnsemble
) -> None:
    store = await real_tree.connect(session_seconds=SESSION_SECONDS)
    states = States(store)
    await store.create("/a", ephemeral=True)
    assert store.session.silent_seconds < SESSION_SECONDS
    with zookeeper.servers[0].paused():
        await states.until(SessionState.SUSPENDED)
        with pytest.raises(ConnectionLostError, match="no answer of ZooKeeper in 2 seconds"):
            await store.get("/a")
        await until(lambda: store.session.silent_seconds > 2 * SESSION_SECONDS)
        assert store.state is SessionState.SUSPENDED
    # Only now is there somebody who can say what has become of the session.
    await until(lambda: store.state is not SessionState.SUSPENDED)
    if store.state is SessionState.CONNECTED:
        assert await store.exists("/a") is not None


async def test_pings_alone_show_that_a_server_is_there(tree: KazooMetadata) -> None:
    store = await tree.connect(session_seconds=SESSION_SECONDS)
    for _ in range(3):
        await asyncio.sleep(SESSION_SECONDS / 2)
        assert store.session.silent_seconds < SESSION_SECONDS
    assert store.state is SessionState.CONNECTED


@pytest.mark.rule("REL-K4")
async def test_a_lost_connection_drops_watches_and_is_no_hint(tree: KazooMetadata) -> None:
    store = await tree.connect()
    states, hints = States(store), list[str]()
    await store.create("/a")
    await store.get("/a", watch=hints.append)
    await tree.interrupt()
    await states.until(SessionState.SUSPENDED)
    await states.until(SessionState.CONNECTED)
    assert hints == []
    other = await tree.connect()
    await other.set("/a", b"missed", version=0)
    await store.sync("/a")
    assert hints == []
    assert (await store.get("/a", watch=hints.append))[0] == b"missed"
    await other.set("/a", b"heard of", version=1)
    await until(lambda: hints == ["/a"])


@pytest.mark.rule("REL-K5")
@pytest.mark.parametrize("is_done", [True, False], ids=["done", "not done"])
async def test_a_connection_lost_during_a_write_leaves_the_outcome_open(
    tree: KazooMetadata, *, is_done: bool
) -> None:
    async with CutProxy(tree.port) as proxy:
        address = ZooKeeperAddress.parse(f"127.0.0.1:{proxy.port}{tree.root}")
        settings = replace(tree.settings(), address=address)
        store = await ZooKeeperStore.connect(settings, clock=SystemClock())
        await store.create("/a", b"before")
        states = States(store)
        proxy.cut_at, proxy.passes_on = b"written by me", is_done
        with pytest.raises(ConnectionLostError):
            await store.set("/a", b"written by me", version=0)
        # kazoo fails what it has sent before it says why: a call in between would be lost as well.
        await states.until(SessionState.SUSPENDED)
        await states.until(SessionState.CONNECTED)
        data, stat = await store.get("/a")
        assert (data, stat.version) == ((b"written by me", 1) if is_done else (b"before", 0))
        await store.close()


@pytest.mark.rule("REL-K6")
async def test_callbacks_run_on_the_loop_and_may_begin_calls(tree: KazooMetadata) -> None:
    store, threads = await tree.connect(), list[int]()
    calls: list[asyncio.Future[Any]] = []

    def note(_news: object) -> None:
        threads.append(threading.get_ident())
        calls.append(asyncio.ensure_future(store.exists("/a")))

    store.subscribe(note)
    await store.create("/a")
    await store.get("/a", watch=note)
    await store.set("/a", b"x", version=0)
    await tree.interrupt()
    await until(lambda: len(calls) == 3 and store.state is SessionState.CONNECTED)
    assert set(threads) == {threading.get_ident()}
    assert await calls[-1] is not None
    # The one of the SUSPENDED waited for the connection, or was told that it was lost.
    await asyncio.gather(*calls, return_exceptions=True)


@pytest.mark.rule("REL-K7")
async def test_a_session_can_be_given_up_by_another_thread_while_the_loop_is_stuck(
    tree: KazooMetadata,
) -> None:
    store, other = await tree.connect(session_seconds=10.0), await tree.connect()
    states = States(store)
    await store.create("/mine", ephemeral=True)
    giving_up = threading.Thread(target=store.session.give_up)
    giving_up.start()
    giving_up.join()
    async with asyncio.timeout(5):
        while await other.exists("/mine") is not None:
            await asyncio.sleep(0.02)
    await states.until(SessionState.LOST)
    with pytest.raises(SessionExpiredError):
        await store.get("/")


@pytest.mark.rule("REL-K12")
async def test_what_is_too_large_on_the_wire_is_refused_before_it_costs_the_connection(
    tree: KazooMetadata,
) -> None:
    store = await tree.connect(session_seconds=10.0)
    states = States(store)
    # Both are within the port's limit by paths and bytes; the wire adds to each operation.
    too_large = [Create(f"/{number:05}", bytes(760)) for number in range(1200)]
    assert sum(len(op.path) + len(op.data) for op in too_large) < NODE_BYTES_MAX
    with pytest.raises(NodeTooLargeError, match="1200 operations"):
        await store.multi(too_large)
    large = [Create(f"/{number:05}", bytes(825)) for number in range(1100)]
    assert len(await store.multi(large)) == 1100
    assert states.heard == []


async def test_calls_wait_for_the_connection_to_come_back(real_tree: ZooKeeperMetadata) -> None:
    store = await real_tree.connect(session_seconds=10.0)
    states = States(store)
    await store.create("/a")
    await asyncio.to_thread(real_tree.ensemble.kill)
    await states.until(SessionState.SUSPENDED)
    writes = [asyncio.ensure_future(store.multi([Set("/a", b"%d" % n, n)])) for n in range(200)]
    await asyncio.sleep(0)
    await asyncio.to_thread(real_tree.ensemble.start)
    await asyncio.gather(*writes)
    data, stat = await store.get("/a")
    assert (data, stat.version) == (b"199", 200)


async def test_the_servers_say_how_long_a_session_lasts(tree: KazooMetadata) -> None:
    store = await tree.connect(session_seconds=3600.0)
    # Twenty ticks of half a second.
    assert store.session.session_seconds == pytest.approx(10.0)


async def test_the_path_of_the_address_is_made_and_nothing_is_seen_beside_it(
    tree: KazooMetadata,
) -> None:
    tree.root += "/deeper/still"
    store, again = await tree.connect(), await tree.connect()
    assert await store.create("/a", ephemeral=True) == "/a"
    assert await again.children("/") == ["a"]
    assert await again.create("/q-", sequential=True) == "/q-0000000001"


@pytest.mark.rule("REL-K9")
async def test_three_servers_go_on_when_one_is_killed(
    zookeeper_ensemble: ZooKeeperEnsemble,
) -> None:
    tree = ZooKeeperMetadata(zookeeper_ensemble)
    store = await tree.connect(session_seconds=10.0)
    await store.create("/a", ephemeral=True)
    port = store.session.client._connection._socket.getpeername()[1]
    [mine] = [server for server in zookeeper_ensemble.servers if server.port == port]
    states = States(store)
    await asyncio.to_thread(mine.kill)
    await states.until(SessionState.SUSPENDED)
    await states.until(SessionState.CONNECTED)
    stat = await store.exists("/a")
    assert stat is not None
    assert stat.ephemeral_owner == store.session_id
    await store.close()
    await asyncio.to_thread(mine.restart)


async def test_a_server_that_hangs_does_not_cost_the_session(
    tree: KazooMetadata,
) -> None:
    async with CutProxy(tree.port) as proxy:
        address = ZooKeeperAddress.parse(f"127.0.0.1:{proxy.port}{tree.root}")
        settings = replace(tree.settings(), address=address)
        store = await ZooKeeperStore.connect(settings, clock=SystemClock())
        states = States(store)
        proxy.swallows = 1
        proxy.cut()
        await states.until(SessionState.SUSPENDED)
        await states.until(SessionState.CONNECTED)
        assert proxy.swallows == 0
        assert store.state is SessionState.CONNECTED
        await store.close()
