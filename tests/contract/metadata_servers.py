"""Metadata servers for tests, each of which any number of stores can connect to."""

import asyncio
import uuid
from typing import Protocol

from kazoo.client import KazooClient

from service.app.system import SystemClock
from service.coordination.embedded.server import TreeServer
from service.coordination.embedded.store import EmbeddedStore, open_tree
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


class ZooKeeperMetadata:
    """A path of its own on a real ZooKeeper."""

    def __init__(self, ensemble: ZooKeeperEnsemble) -> None:
        self.ensemble = ensemble
        self.root = f"/test-{uuid.uuid4().hex}"
        self.stores: list[ZooKeeperStore] = []

    def settings(self, *, session_seconds: float = 6.0) -> ZooKeeperSettings:
        return ZooKeeperSettings(
            address=ZooKeeperAddress.parse(self.ensemble.addresses + self.root),
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
        twin = KazooClient(self.ensemble.addresses, client_id=(number, password))
        await asyncio.to_thread(twin.start)
        await asyncio.to_thread(twin.stop)
        await asyncio.to_thread(twin.close)

    async def restart(self) -> None:
        await asyncio.to_thread(self.ensemble.restart)

    async def stop(self) -> None:
        await asyncio.gather(*(store.close() for store in self.stores))
