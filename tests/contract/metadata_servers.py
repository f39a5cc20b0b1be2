"""Metadata servers for tests, each of which any number of stores can connect to."""

import asyncio
import uuid
from typing import Protocol

from kazoo.client import KazooClient
from typing_extensions import override

from service.app.system import SystemClock, SystemIds
from service.app.system_network import SystemNetwork
from service.coordination.embedded.server import TreeServer
from service.coordination.embedded.store import EmbeddedStore, open_tree
from service.coordination.embedded.wire.limits import WireLimits
from service.coordination.embedded.wire.server import WireServer
from service.coordination.metadata_store import MetadataStore
from service.coordination.zookeeper.settings import ZooKeeperAddress, ZooKeeperSettings
from service.coordination.zookeeper.store import ZooKeeperStore
from tests.contract.zookeeper_server import ZooKeeperEnsemble
from tests.unit.coordination.memory_disk import InlineExecutor, MemoryDisk, nothing_more

DIRECTORY = "/data/metadata"


class MetadataServer(Protocol):
    """Something that stores connect to."""

    async def connect(self) -> MetadataStore:
        """Begin a session."""
        ...

    async def expire(self, store: MetadataStore) -> None:
        """End a session against its owner's will."""
        ...

    async def restart(self) -> None:
        """Kill the server and start it again on what it has made durable; sessions may end."""
        ...

    async def stop(self) -> None:
        """Release everything."""
        ...


class EmbeddedServer:
    """The tree in this process, on a disk that loses what was not synced."""

    def __init__(self) -> None:
        self.disk = MemoryDisk()
        self._server: TreeServer | None = None

    async def server(self) -> TreeServer:
        if self._server is None:
            self._server = await open_tree(
                disk=self.disk, directory=DIRECTORY, executor=InlineExecutor(), log_bytes_min=2000
            )
        return self._server

    async def connect(self) -> MetadataStore:
        return await EmbeddedStore.connect(await self.server())

    async def expire(self, store: MetadataStore) -> None:
        await (await self.server()).end_session(store.session_id)

    async def restart(self) -> None:
        self.disk = self.disk.after_crash(nothing_more)
        self._server = None

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.close()


class KazooMetadata:
    """A path of its own on something that speaks ZooKeeper's protocol."""

    def __init__(self) -> None:
        self.root = f"/test-{uuid.uuid4().hex}"
        self.stores: list[ZooKeeperStore] = []

    @property
    def addresses(self) -> str:
        raise NotImplementedError

    async def restart(self) -> None:
        raise NotImplementedError

    async def interrupt(self) -> None:
        """Break every connection; sessions live on."""
        raise NotImplementedError

    @property
    def port(self) -> int:
        """The port of the one server that there is."""
        return int(self.addresses.rpartition(":")[2])

    def settings(self, *, session_seconds: float = 6.0) -> ZooKeeperSettings:
        return ZooKeeperSettings(
            address=ZooKeeperAddress.parse(self.addresses + self.root),
            session_seconds=session_seconds,
            connection_seconds=20.0,
        )

    async def connect(self, *, session_seconds: float = 6.0) -> ZooKeeperStore:
        settings = self.settings(session_seconds=session_seconds)
        store = await ZooKeeperStore.connect(settings, clock=SystemClock())
        self.stores.append(store)
        return store

    async def expire(self, store: MetadataStore) -> None:
        assert isinstance(store, ZooKeeperStore)
        # Who knows a session's password may end it, as this second client does.
        number, password = store.session.client.client_id
        twin = KazooClient(self.addresses, client_id=(number, password))
        await asyncio.to_thread(twin.start)
        await asyncio.to_thread(twin.stop)
        await asyncio.to_thread(twin.close)

    async def stop(self) -> None:
        await asyncio.gather(*(store.close() for store in self.stores))


class ZooKeeperMetadata(KazooMetadata):
    """A path of its own on a real ZooKeeper."""

    def __init__(self, ensemble: ZooKeeperEnsemble) -> None:
        super().__init__()
        self.ensemble = ensemble

    @property
    @override
    def addresses(self) -> str:
        return self.ensemble.addresses

    @override
    async def restart(self) -> None:
        await asyncio.to_thread(self.ensemble.restart)

    @override
    async def interrupt(self) -> None:
        await self.restart()


class WireMetadata(KazooMetadata):
    """The tree in this process, over ZooKeeper's wire."""

    def __init__(self) -> None:
        super().__init__()
        self.embedded = EmbeddedServer()
        self.wire: WireServer
        self._port: asyncio.Future[int] | None = None
        self._serving: asyncio.Task[None]

    @property
    @override
    def addresses(self) -> str:
        assert self._port is not None, "it starts first"
        return f"127.0.0.1:{self._port.result()}"

    async def start(self) -> None:
        self.wire = WireServer(
            await self.embedded.server(),
            network=SystemNetwork(),
            ids=SystemIds(),
            limits=WireLimits(session_ms_max=10_000),
        )
        self._port = asyncio.get_running_loop().create_future()
        self._serving = asyncio.ensure_future(self._serve(self._port))
        await asyncio.wait([self._port, self._serving], return_when=asyncio.FIRST_COMPLETED)

    async def _serve(self, port: asyncio.Future[int]) -> None:
        async with asyncio.TaskGroup() as tasks:
            bound = await self.wire.bind(0, tasks)
            await self.wire.start()
            port.set_result(bound)
            await self.wire.run()

    @override
    async def connect(self, *, session_seconds: float = 6.0) -> ZooKeeperStore:
        if self._port is None:
            await self.start()
        return await super().connect(session_seconds=session_seconds)

    @override
    async def restart(self) -> None:
        await self._halt()
        await self.embedded.restart()

    @override
    async def interrupt(self) -> None:
        self.wire.drop_connections()

    @override
    async def stop(self) -> None:
        await super().stop()
        await self._halt()
        await self.embedded.stop()

    async def _halt(self) -> None:
        if self._port is not None:
            self._port = None
            self.wire.close()
            self._serving.cancel()
            await asyncio.wait([self._serving])
