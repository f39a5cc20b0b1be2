"""Metadata servers for tests, each of which any number of stores can connect to."""

from typing import Protocol

from service.coordination.embedded.server import TreeServer
from service.coordination.embedded.store import EmbeddedStore, open_tree
from service.coordination.metadata_store import MetadataStore
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
