"""The wire itself, frame by frame: ours and that of real ZooKeeper, which is the oracle."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from kazoo.client import KazooClient
from kazoo.protocol import serialization as kazoo
from kazoo.recipe.election import Election
from kazoo.security import ACL, OPEN_ACL_UNSAFE, Id

from service.app.system_network import SystemNetwork
from tests.contract.metadata_servers import KazooMetadata
from tests.contract.wire_client import Reply, WireClient, connect

CREATED, DELETED, SET, CHILDREN = 1, 2, 3, 4
EPHEMERAL, SEQUENTIAL = 1, 2
ANY = -1


class Unknown:
    """A request of some number, with a body that nobody knows."""

    def __init__(self, number: int, body: bytes = b"") -> None:
        self.type = number
        self._body = body

    def serialize(self) -> bytes:
        return self._body


def create(path: str, data: bytes = b"", flags: int = 0, acl: Any = OPEN_ACL_UNSAFE) -> Any:
    return kazoo.Create(path, data, acl, flags)


class Wire:
    """A server, a path of its own, and connections to it."""

    def __init__(self, tree: KazooMetadata) -> None:
        self.tree = tree
        self.root = tree.root
        self._open: list[WireClient] = []

    async def connect(self) -> WireClient:
        client = await WireClient.open(SystemNetwork(), self.tree.port)
        self._open.append(client)
        return client

    async def session(self) -> WireClient:
        """Return a connection with a session, and the path made."""
        client = await self.connect()
        await client.greet()
        await client.call(create(self.root))
        return client

    def close(self) -> None:
        for client in self._open:
            client.transport.abort()


@pytest.fixture
async def wire(tree: KazooMetadata) -> AsyncIterator[Wire]:
    wire = Wire(tree)
    yield wire
    wire.close()


def _stat(reply: Reply) -> Any:
    return reply.decoded(kazoo.Exists)


# ---- sessions


async def test_a_session_goes_on_by_another_connection_with_its_password(wire: Wire) -> None:
    first = await wire.connect()
    session = await first.greet(timeout_ms=5000)
    assert session.timeout_ms == 5000
    assert session.session != 0
    assert len(session.password) == 16
    assert (await first.call(create(wire.root))).code == 0
    assert (await first.call(create(f"{wire.root}/mine", flags=EPHEMERAL))).code == 0
    second = await wire.connect()
    again = await second.greet(session=session.session, password=session.password, timeout_ms=7000)
    assert again.session == session.session
    assert again.password == session.password
    assert again.timeout_ms == 7000
    stat = _stat(await second.call(kazoo.Exists(f"{wire.root}/mine", watcher=False)))
    assert stat.ephemeralOwner == session.session
    assert await first.rest() == b"", "the older connection ends"


async def test_who_does_not_know_the_password_is_told_that_the_session_is_over(wire: Wire) -> None:
    first = await wire.connect()
    session = await first.greet()
    for number, password in [(session.session, b"wrong" * 3 + b"!"), (987654321, bytes(16))]:
        stranger = await wire.connect()
        refusal = await stranger.greet(session=number, password=password)
        assert (refusal.timeout_ms, refusal.session, refusal.password) == (0, 0, bytes(16))
        assert await stranger.rest() == b""


async def test_a_client_of_another_tree_that_is_ahead_is_turned_away(wire: Wire) -> None:
    client = await wire.connect()
    client.send(connect(last_zxid=1 << 60))
    assert await client.frame() is None


async def test_a_closed_session_is_gone_with_its_nodes(wire: Wire) -> None:
    first, other = await wire.session(), await wire.session()
    await first.call(create(f"{wire.root}/mine", flags=EPHEMERAL))
    reply = await first.call(kazoo.CloseInstance)
    assert (reply.code, reply.body) == (0, b"")
    assert await first.rest() == b""
    gone = await other.call(kazoo.Exists(f"{wire.root}/mine", watcher=False))
    assert gone.code == -101


async def test_pings_are_answered_under_their_own_number(wire: Wire) -> None:
    client = await wire.session()
    created = await client.call(create(f"{wire.root}/a"))
    ping = await client.call(kazoo.PingInstance, xid=-2)
    assert (ping.code, ping.body) == (0, b"")
    assert ping.zxid >= created.zxid > 0


# ---- answers


async def test_answers_come_in_the_order_of_requests(wire: Wire) -> None:
    client = await wire.session()
    xids = []
    for number in range(50):
        xids.append(client.ask(create(f"{wire.root}/{number}")))
        xids.append(client.ask(kazoo.GetData(f"{wire.root}/{number}", watcher=False)))
        xids.append(client.ask(kazoo.GetData(f"{wire.root}/none", watcher=False)))
        xids.append(client.ask(create("relative")))
    replies = [await client.reply() for _ in xids]
    assert [reply.xid for reply in replies] == xids
    assert [reply.code for reply in replies] == [0, 0, -101, -8] * 50
    zxids = [reply.zxid for reply in replies]
    assert zxids == sorted(zxids)


async def test_a_stat_tells_what_there_is(wire: Wire) -> None:
    client = await wire.session()
    path = f"{wire.root}/a"
    reply = await client.call(kazoo.Create2(path, b"four", OPEN_ACL_UNSAFE, 0))
    made, created = reply.decoded(kazoo.Create2)
    assert made == path
    for name in "xyz":
        await client.call(create(f"{path}/{name}"))
    await client.call(kazoo.Delete(f"{path}/x", ANY))
    changed = _stat(await client.call(kazoo.SetData(path, b"seven!!", ANY)))
    _, read = (await client.call(kazoo.GetData(path, watcher=False))).decoded(kazoo.GetData)
    names, listed = (await client.call(kazoo.GetChildren2(path, watcher=False))).decoded(
        kazoo.GetChildren2
    )
    assert sorted(names) == ["y", "z"]
    assert read == listed == changed
    assert (created.version, created.dataLength, created.numChildren) == (0, 4, 0)
    assert (read.version, read.dataLength, read.numChildren) == (1, 7, 2)
    assert (created.cversion, read.cversion, read.aversion) == (0, 4, 0)
    assert created.czxid == created.mzxid == read.czxid < read.mzxid
    assert read.ephemeralOwner == 0


async def test_everybody_may_do_everything_and_nobody_can_ask_for_less(wire: Wire) -> None:
    client = await wire.session()
    acl, _ = (await client.call(kazoo.GetACL(wire.root))).decoded(kazoo.GetACL)
    assert acl == OPEN_ACL_UNSAFE
    creator_only = [ACL(31, Id("auth", ""))]
    assert (await client.call(create(f"{wire.root}/a", acl=creator_only))).code == -114
    assert (await client.call(create(f"{wire.root}/a", acl=[]))).code == -114


async def test_a_digest_is_taken_and_other_ways_to_prove_oneself_are_not(wire: Wire) -> None:
    client = await wire.session()
    assert (await client.call(kazoo.Auth(0, "digest", "user:password"), xid=-4)).code == 0
    assert (await client.call(kazoo.Auth(0, "sorcery", "x"), xid=-4)).code == -115
    assert await client.rest() == b""


@pytest.mark.parametrize(
    ("request_of", "code"),
    [
        (lambda root: create(f"{root}/a/b"), -101),
        (create, -110),
        (lambda _root: create("relative"), -8),
        (lambda root: create("/"), -110),
        (lambda root: create(f"{root}/e/child"), -108),
        (lambda root: kazoo.Delete("/", ANY), -8),
        (lambda root: kazoo.Delete(root, ANY), -111),
        (lambda root: kazoo.Delete(f"{root}/e", 5), -103),
        (lambda root: kazoo.SetData(f"{root}/e", b"", 5), -103),
        (lambda root: kazoo.GetChildren(f"{root}/none", watcher=False), -101),
        (lambda root: kazoo.GetACL(f"{root}/none"), -101),
        (lambda root: Unknown(999), -6),
    ],
)
async def test_what_cannot_be_done_has_the_code_of_zookeeper(
    wire: Wire, request_of: Any, code: int
) -> None:
    client = await wire.session()
    await client.call(create(f"{wire.root}/e", flags=EPHEMERAL))
    reply = await client.call(request_of(wire.root))
    assert (reply.code, reply.body) == (code, b"")


async def test_a_transaction_is_answered_operation_by_operation(wire: Wire) -> None:
    client = await wire.session()
    path = f"{wire.root}/a"
    transaction = kazoo.Transaction(
        [
            create(path),
            kazoo.SetData(path, b"x", 0),
            kazoo.CheckVersion(path, 1),
            create(f"{path}-", flags=SEQUENTIAL | EPHEMERAL),
            kazoo.Delete(path, ANY),
        ]
    )
    made, stat, checked, numbered, deleted = (await client.call(transaction)).decoded(
        kazoo.Transaction
    )
    assert (made, checked, numbered, deleted) == (path, True, f"{path}-0000000001", True)
    assert (stat.version, stat.dataLength) == (1, 1)


async def test_a_transaction_that_fails_says_where(wire: Wire) -> None:
    client = await wire.session()
    path = f"{wire.root}/a"
    ops = [create(path), kazoo.CheckVersion(path, 7), create(f"{wire.root}/b")]
    reply = await client.call(kazoo.Transaction(ops))
    codes = [error.code for error in reply.decoded(kazoo.Transaction)]
    assert (reply.code, codes) == (0, [0, -103, -2])
    assert (await client.call(kazoo.Exists(path, watcher=False))).code == -101


# ---- hints


async def test_a_watch_is_told_what_has_happened(wire: Wire) -> None:
    client, other = await wire.session(), await wire.session()
    path = f"{wire.root}/a"
    for change, kind in [
        (create(path), CREATED),
        (kazoo.SetData(path, b"x", ANY), SET),
        (kazoo.Delete(path, ANY), DELETED),
    ]:
        await client.call(kazoo.Exists(path, watcher=True))
        await other.call(change)
        assert (await client.reply()).event == (kind, path)
    await client.call(kazoo.GetChildren(wire.root, watcher=True))
    await other.call(create(path))
    assert (await client.reply()).event == (CHILDREN, wire.root)


async def test_a_deletion_is_told_once_for_all_watches_of_the_node(wire: Wire) -> None:
    client, other = await wire.session(), await wire.session()
    path = f"{wire.root}/a"
    await other.call(create(path))
    await client.call(kazoo.GetData(path, watcher=True))
    await client.call(kazoo.GetChildren2(path, watcher=True))
    await other.call(kazoo.Delete(path, ANY))
    assert (await client.reply()).event == (DELETED, path)
    assert (await client.call(kazoo.PingInstance, xid=-2)).code == 0, "and nothing else"


async def test_a_node_that_is_not_there_is_watched_by_exists_alone(wire: Wire) -> None:
    client, other = await wire.session(), await wire.session()
    path = f"{wire.root}/a"
    await client.call(kazoo.GetData(path, watcher=True))
    await client.call(kazoo.GetChildren(path, watcher=True))
    await other.call(create(path))
    assert (await client.call(kazoo.Sync(path))).code == 0
    await client.call(kazoo.Exists(path, watcher=True))
    await other.call(kazoo.Delete(path, ANY))
    assert (await client.reply()).event == (DELETED, path)


async def test_watches_go_with_their_connection(wire: Wire) -> None:
    first, other = await wire.connect(), await wire.session()
    session = await first.greet()
    await first.call(kazoo.GetData(wire.root, watcher=True))
    second = await wire.connect()
    await second.greet(session=session.session, password=session.password)
    await other.call(kazoo.SetData(wire.root, b"x", ANY))
    assert (await second.call(kazoo.Sync(wire.root))).code == 0
    assert (await second.call(kazoo.PingInstance, xid=-2)).code == 0


# ---- hostile bytes


@pytest.mark.parametrize("sent", [b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x00\x10\x00\x00"])
async def test_a_frame_of_no_sensible_length_ends_its_connection_alone(
    wire: Wire, sent: bytes
) -> None:
    client, hostile = await wire.session(), await wire.session()
    hostile.transport.write(sent)
    assert await hostile.rest() == b""
    assert (await client.call(kazoo.PingInstance, xid=-2)).code == 0


async def test_the_words_of_four_letters_are_answered(wire: Wire) -> None:
    client = await wire.connect()
    client.transport.write(b"srvr")
    said = await client.rest()
    assert b"Mode: standalone\n" in said
    assert b"\nZxid: 0x" in said


# ---- recipes of kazoo


@pytest.mark.rule("BP-D18")
async def test_locks_and_elections_of_kazoo_work(tree: KazooMetadata) -> None:
    clients = [KazooClient(tree.addresses, timeout=6.0) for _ in range(3)]
    log: list[str] = []

    def take_turns(client: KazooClient, name: str) -> None:
        client.start()
        for _ in range(5):
            with client.Lock(f"{tree.root}/lock", name):
                log.append(f"{name} in")
                log.append(f"{name} out")

    def lead(client: KazooClient, name: str) -> None:
        Election(client, f"{tree.root}/election", name).run(lambda: log.append(f"{name} led"))

    try:
        jobs = [asyncio.to_thread(take_turns, each, str(n)) for n, each in enumerate(clients)]
        await asyncio.gather(*jobs)
        assert len(log) == 30
        assert all(
            one.replace(" in", " out") == other
            for one, other in zip(log[::2], log[1::2], strict=True)
        )
        log.clear()
        jobs = [asyncio.to_thread(lead, each, str(n)) for n, each in enumerate(clients)]
        await asyncio.gather(*jobs)
        assert sorted(log) == ["0 led", "1 led", "2 led"]
    finally:
        for client in clients:
            await asyncio.to_thread(client.stop)
            await asyncio.to_thread(client.close)
