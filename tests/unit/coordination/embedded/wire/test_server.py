"""Sessions and connections on the simulator's network and time."""

import asyncio
import random
import struct
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import uvloop
from kazoo.protocol import serialization as kazoo
from kazoo.security import OPEN_ACL_UNSAFE
from structlog.testing import capture_logs

from service.app.system_network import SystemNetwork
from service.coordination.embedded.server import TreeServer
from service.coordination.embedded.store import open_tree
from service.coordination.embedded.wire.limits import WireLimits
from service.coordination.embedded.wire.server import WireServer
from service.coordination.embedded.wire.sessions import TICK_SECONDS
from service.coordination.metadata_store import ConnectionLostError
from service.model.network import CannotListenError, Listener
from tests.contract.wire_client import Greeting, WireClient
from tests.simulation.clock import SeededIds
from tests.simulation.loop import SimLoop, run_simulated
from tests.simulation.network import SimNetwork
from tests.unit.coordination.memory_disk import MemoryDisk

PING = kazoo.PingInstance
SLACK_SECONDS = 0.1
"""More than a message and a sync take here."""


def create(path: str, *, ephemeral: bool = False) -> Any:
    return kazoo.Create(path, b"", OPEN_ACL_UNSAFE, int(ephemeral))


class Stage:
    """A server, and clients."""

    def __init__(self, loop: SimLoop) -> None:
        self.loop = loop
        self.disk = MemoryDisk()
        self.network = SimNetwork(loop, loop.rng)
        self.tree: TreeServer
        self.wire: WireServer
        self.port = 0

    async def connect(self) -> WireClient:
        return await WireClient.open(self.network, self.port)

    async def session(self, timeout_ms: int = 4000) -> tuple[WireClient, Greeting]:
        client = await self.connect()
        return client, await client.greet(timeout_ms=timeout_ms)

    def has(self, path: str) -> bool:
        return self.tree.tree.find(path) is not None


Scenario = Callable[[Stage], Awaitable[None]]


async def _play(loop: SimLoop, scenario: Scenario, limits: WireLimits | None) -> None:
    stage = Stage(loop)
    stage.tree = await open_tree(disk=stage.disk, directory="/m", executor=None)
    stage.wire = WireServer(
        stage.tree, network=stage.network, ids=SeededIds(), limits=limits or WireLimits()
    )
    async with asyncio.TaskGroup() as tasks:
        stage.port = await stage.wire.bind(0, tasks)
        await stage.wire.start()
        watching = tasks.create_task(stage.wire.run())
        await scenario(stage)
        stage.wire.close()
        watching.cancel()
    await stage.tree.close()


def play(scenario: Scenario, *, limits: WireLimits | None = None, seed: int = 1) -> None:
    run_simulated(seed, lambda loop: _play(loop, scenario, limits))


# ---- the end of sessions


@pytest.mark.parametrize("timeout_ms", [1000, 4000, 4100])
def test_a_silent_session_ends_when_its_time_is_up_and_not_before(timeout_ms: int) -> None:
    async def scenario(stage: Stage) -> None:
        client, _ = await stage.session(timeout_ms)
        await client.call(create("/mine", ephemeral=True))
        await asyncio.sleep(stage.loop.rng.uniform(0, 1))
        await client.call(PING, xid=-2)
        await asyncio.sleep(timeout_ms / 1000 - SLACK_SECONDS)
        assert stage.has("/mine")
        await asyncio.sleep(2 * TICK_SECONDS + 2 * SLACK_SECONDS)
        assert not stage.has("/mine")
        assert client.is_closed, "or kazoo would never know"
        assert stage.wire.session_count == 0

    for seed in range(5):
        play(scenario, seed=seed)


def test_pings_keep_a_session() -> None:
    async def scenario(stage: Stage) -> None:
        client, _ = await stage.session(2000)
        await client.call(create("/mine", ephemeral=True))
        for _ in range(20):
            await asyncio.sleep(1.8)
            await client.call(PING, xid=-2)
        assert stage.has("/mine")

    play(scenario)


@pytest.mark.rule("BP-6.7")
def test_a_stall_of_the_server_itself_ends_nobody() -> None:
    async def scenario(stage: Stage) -> None:
        client, _ = await stage.session(2000)
        await client.call(create("/mine", ephemeral=True))
        for _ in range(5):
            await asyncio.sleep(1.0)
            stage.loop._now += 60.0  # the process stands still, and its clients have waited
            await asyncio.sleep(0.5)
            assert stage.has("/mine")
            await client.call(PING, xid=-2)
        await asyncio.sleep(2.0 + 2 * TICK_SECONDS + SLACK_SECONDS)
        assert not stage.has("/mine"), "silence of its own still counts"

    play(scenario)


def test_a_session_outlives_its_connection_until_its_time_is_up() -> None:
    async def scenario(stage: Stage) -> None:
        client, session = await stage.session(4000)
        await client.call(create("/mine", ephemeral=True))
        client.transport.abort()
        await asyncio.sleep(3.0)
        again = await stage.connect()
        assert (await again.greet(session=session.session, password=session.password)) == Greeting(
            6000, session.session, session.password
        )
        again.transport.abort()
        await asyncio.sleep(5.5)
        assert stage.has("/mine")
        await asyncio.sleep(1.5)
        assert not stage.has("/mine")
        late = await stage.connect()
        refusal = await late.greet(session=session.session, password=session.password)
        assert refusal.timeout_ms == 0

    play(scenario)


def test_a_stranger_to_a_session_does_not_disturb_it() -> None:
    async def scenario(stage: Stage) -> None:
        client, session = await stage.session()
        stranger = await stage.connect()
        refusal = await stranger.greet(session=session.session, password=b"guess" * 3 + b"!")
        assert refusal == Greeting(0, 0, bytes(16))
        assert (await client.call(PING, xid=-2)).code == 0

    play(scenario)


def test_a_session_lasts_no_longer_and_no_shorter_than_allowed() -> None:
    async def scenario(stage: Stage) -> None:
        asked = [0, -5, 999, 5000, 60_001, 2**31 - 1]
        given = [(await stage.session(each))[1].timeout_ms for each in asked]
        assert given == [1000, 1000, 1000, 5000, 60_000, 60_000]

    play(scenario)


def test_nodes_that_a_full_disk_kept_go_when_there_is_room() -> None:
    async def scenario(stage: Stage) -> None:
        client, _ = await stage.session(1000)
        await client.call(create("/mine", ephemeral=True))
        stage.disk.free = 10
        with capture_logs() as logs:
            await asyncio.sleep(5)
        assert stage.has("/mine")
        assert client.is_closed
        events = [line["event"] for line in logs]
        assert events == ["wire_session_expired", "wire_session_nodes_left"]
        stage.disk.free = 1 << 30
        await asyncio.sleep(1)
        assert not stage.has("/mine")

    play(scenario)


def test_a_failed_disk_ends_the_server_and_all_connections() -> None:
    async def scenario(stage: Stage) -> None:
        client, _ = await stage.session()
        stage.disk.steps_left = 0
        client.ask(create("/a"))
        assert await client.rest() == b""
        await asyncio.sleep(1)

    with pytest.raises(ExceptionGroup) as failure:
        play(scenario)
    assert failure.group_contains(ConnectionLostError, match="the metadata tree has failed")


# ---- connections


def test_connections_above_the_limit_are_closed_and_the_others_served() -> None:
    async def scenario(stage: Stage) -> None:
        clients = [(await stage.session())[0] for _ in range(3)]
        with capture_logs() as logs:
            fourth = await stage.connect()
            assert await fourth.rest() == b""
        assert [line["reason"] for line in logs] == ["3 connections are open already"]
        for client in clients:
            assert (await client.call(PING, xid=-2)).code == 0
        clients[0].transport.abort()
        await asyncio.sleep(SLACK_SECONDS)
        await stage.session()

    play(scenario, limits=WireLimits(connections_max=3))


def test_sessions_above_the_limit_are_turned_away_until_another_one_ends() -> None:
    async def scenario(stage: Stage) -> None:
        first, _ = await stage.session()
        second, _ = await stage.session()
        second.transport.abort()
        third = await stage.connect()
        third.send(bytes(kazoo.Connect(0, 0, 4000, 0, bytes(16), read_only=False).serialize()))
        assert await third.rest() == b""
        await first.call(kazoo.CloseInstance)
        await stage.session()

    play(scenario, limits=WireLimits(sessions_max=2))


def test_who_says_nothing_is_not_waited_for_long() -> None:
    async def scenario(stage: Stage) -> None:
        silent, slow = await stage.connect(), await stage.connect()
        slow.transport.write(struct.pack(">i", 44) + bytes(10))
        client, _ = await stage.session(60_000)
        await asyncio.sleep(9.9)
        assert not silent.is_closed
        await asyncio.sleep(0.2)
        assert silent.is_closed
        assert slow.is_closed
        assert (await client.call(PING, xid=-2)).code == 0
        assert stage.wire.connection_count == 1

    play(scenario)


@pytest.mark.parametrize(
    "hostile",
    [
        b"\xff" * 64,
        b"\x00\x10\x00\x00" + bytes(64),
        b"GET / HTTP/1.1\r\n\r\n",
        bytes(4),
        struct.pack(">i", 8) + bytes(8),
        struct.pack(">iiqiqi", 28, 0, 0, 0, 0, 1 << 30),
    ],
    ids=["negative", "too large", "http", "empty", "short", "a length that lies"],
)
def test_a_malformed_first_frame_ends_its_connection_with_one_line(hostile: bytes) -> None:
    async def scenario(stage: Stage) -> None:
        client, _ = await stage.session()
        stranger = await stage.connect()
        with capture_logs() as logs:
            stranger.transport.write(hostile)
            assert await stranger.rest() == b""
        assert [line["event"] for line in logs] == ["wire_connection_closed"]
        assert (await client.call(PING, xid=-2)).code == 0

    play(scenario)


def test_random_bytes_harm_nobody() -> None:
    async def scenario(stage: Stage) -> None:
        client, _ = await stage.session(60_000)
        rng = stage.loop.rng
        for _ in range(200):
            hostile = await stage.connect()
            if rng.random() < 0.7:
                await hostile.greet()
            for _ in range(3):
                body = rng.randbytes(rng.randint(0, 40))
                number = rng.choice([*range(-12, 25), 100, 101, 102])
                hostile.send(struct.pack(">ii", 1, number) + body)
            await asyncio.sleep(SLACK_SECONDS)
            hostile.transport.abort()
        assert (await client.call(create("/alive"))).code == 0

    for seed in range(5):
        play(scenario, seed=seed)


def test_it_is_healthy_when_asked() -> None:
    async def scenario(stage: Stage) -> None:
        client = await stage.connect()
        client.transport.write(b"ruok")
        assert await client.rest() == b"imok"

    play(scenario)


def test_it_listens_on_loopback_alone() -> None:
    hosts: list[str] = []

    class Noting(SimNetwork):
        async def listen(self, factory: Any, host: str, port: int) -> Listener:
            hosts.append(host)
            raise CannotListenError(host, port, OSError("as far as this goes"))

    async def main(loop: SimLoop) -> None:
        tree = await open_tree(disk=MemoryDisk(), directory="/m", executor=None)
        wire = WireServer(tree, network=Noting(loop, loop.rng), ids=SeededIds())
        async with asyncio.TaskGroup() as tasks:
            with pytest.raises(CannotListenError):
                await wire.bind(0, tasks)

    run_simulated(1, main)
    assert hosts == ["127.0.0.1"]


# ---- hints


async def _write_often(client: WireClient, rng: random.Random) -> None:
    for _ in range(60):
        await client.call(kazoo.SetData("/a", b"", -1))
        await asyncio.sleep(rng.choice([0, 0, 0.001, 0.01]))


async def _ask_often(client: WireClient, rng: random.Random) -> None:
    for _ in range(200):
        client.ask(kazoo.GetData("/a", watcher=True))
        await asyncio.sleep(rng.choice([0, 0.0005, 0.002, 0.01]))


async def _check_order(client: WireClient, count: int) -> int:
    """Read answers and hints, and hold what a client may rely on; return the number of hints."""
    watched_from: int | None = None
    hints = 0
    while count:
        reply = await client.reply()
        if reply.xid == -1:
            assert watched_from is not None, "a hint came before the answer that set the watch"
            watched_from = None
            hints += 1
            continue
        count -= 1
        _, stat = reply.decoded(kazoo.GetData)
        assert watched_from in (None, stat.mzxid), "a change was seen before its hint"
        watched_from = stat.mzxid
    return hints


async def _hints_in_order(reader: WireClient, writer: WireClient, rng: random.Random) -> int:
    _, hints, _ = await asyncio.gather(
        _write_often(writer, rng), _check_order(reader, 200), _ask_often(reader, rng)
    )
    return hints


def test_a_hint_comes_behind_the_answer_that_set_its_watch_and_before_the_change() -> None:
    async def scenario(stage: Stage) -> None:
        reader, _ = await stage.session(60_000)
        writer, _ = await stage.session(60_000)
        await writer.call(create("/a"))
        assert await _hints_in_order(reader, writer, stage.loop.rng) > 20

    for seed in range(20):
        play(scenario, seed=seed)


def test_that_order_holds_on_real_sockets_and_the_loop_of_a_server() -> None:
    async def main() -> None:
        with ThreadPoolExecutor(1) as executor:
            tree = await open_tree(disk=MemoryDisk(), directory="/m", executor=executor)
            wire = WireServer(tree, network=SystemNetwork(), ids=SeededIds())
            async with asyncio.TaskGroup() as tasks:
                port = await wire.bind(0, tasks)
                await wire.start()
                clients = [await WireClient.open(SystemNetwork(), port) for _ in range(2)]
                for client in clients:
                    await client.greet()
                reader, writer = clients
                await writer.call(create("/a"))
                assert await _hints_in_order(reader, writer, random.Random(1)) > 0
                await writer.call(kazoo.CloseInstance)
                assert await writer.rest() == b""
                wire.close()
            await tree.close()

    uvloop.run(main())
