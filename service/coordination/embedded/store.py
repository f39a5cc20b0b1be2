"""`MetadataStore` over the tree in this process: one session of a `TreeServer`."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import cast

from service.coordination.embedded.server import TreeServer
from service.coordination.embedded.tree import Change, WatchKind
from service.coordination.embedded.write_ahead import LOG_BYTES_MIN, WriteAhead
from service.coordination.metadata_store import (
    Create,
    Delete,
    NoNodeError,
    Op,
    Result,
    SessionExpiredError,
    SessionState,
    Set,
    Stat,
    Watcher,
    check_ops,
    check_path,
)
from service.model.disk import Disk


async def open_tree(
    *, disk: Disk, directory: str, executor: Executor | None, log_bytes_min: int = LOG_BYTES_MIN
) -> TreeServer:
    """Load the tree that ``directory`` holds, an empty one at first; close it when done.

    Args:
        disk: Where the tree's two files are.
        directory: Theirs alone; nobody else may have it open.
        executor: Runs the blocking calls; None stands for the loop's own.
        log_bytes_min: A shorter log is never replaced by a snapshot.

    Raises:
        CorruptionError: A file is damaged in a way that no crash explains.
    """
    log = WriteAhead(disk=disk, directory=directory, log_bytes_min=log_bytes_min)
    tree = await asyncio.get_running_loop().run_in_executor(executor, log.load)
    return TreeServer(tree=tree, log=log, executor=executor)


@dataclass(frozen=True, slots=True)
class _Hint:
    """What the server calls. Equal ones are one watch: the same callback."""

    callback: Watcher

    def __call__(self, path: str, _change: Change) -> None:
        self.callback(path)


class EmbeddedStore:
    """One session. Sessions of one server see the same tree, in one order."""

    def __init__(self, server: TreeServer) -> None:
        self._server = server
        self._session_id = 0
        self._state = SessionState.SUSPENDED
        self._callbacks: list[Callable[[SessionState], None]] = []

    @classmethod
    async def connect(cls, server: TreeServer) -> "EmbeddedStore":
        """Open a session with a server."""
        store = cls(server)
        store._session_id = await server.open_session(store._on_lost)
        store._state = SessionState.CONNECTED
        return store

    @property
    def session_id(self) -> int:
        return self._session_id

    @property
    def state(self) -> SessionState:
        return self._state

    def subscribe(self, callback: Callable[[SessionState], None]) -> None:
        self._callbacks.append(callback)

    async def get(self, path: str, *, watch: Watcher | None = None) -> tuple[bytes, Stat]:
        self._check(path)
        node = self._server.tree.find(path)
        if node is not None:
            self._watch(WatchKind.DATA, path, watch)
        await self._server.settled()
        if node is None:
            raise NoNodeError(path)
        return node.data, node.stat()

    async def get_many(self, paths: Sequence[str]) -> list[tuple[bytes, Stat] | None]:
        for path in paths:
            self._check(path)
        find = self._server.tree.find
        nodes = [find(path) for path in paths]
        await self._server.settled()
        return [None if node is None else (node.data, node.stat()) for node in nodes]

    async def exists(self, path: str, *, watch: Watcher | None = None) -> Stat | None:
        self._check(path)
        node = self._server.tree.find(path)
        self._watch(WatchKind.DATA, path, watch)
        await self._server.settled()
        return None if node is None else node.stat()

    async def children(self, path: str, *, watch: Watcher | None = None) -> list[str]:
        self._check(path)
        tree = self._server.tree
        names = None if tree.find(path) is None else tree.children(path)
        if names is not None:
            self._watch(WatchKind.CHILDREN, path, watch)
        await self._server.settled()
        if names is None:
            raise NoNodeError(path)
        return names

    async def create(
        self, path: str, data: bytes = b"", *, ephemeral: bool = False, sequential: bool = False
    ) -> str:
        return cast(str, (await self.multi([Create(path, data, ephemeral, sequential)]))[0])

    async def set(self, path: str, data: bytes, *, version: int) -> Stat:
        return cast(Stat, (await self.multi([Set(path, data, version)]))[0])

    async def delete(self, path: str, *, version: int) -> None:
        await self.multi([Delete(path, version)])

    async def multi(self, ops: Sequence[Op]) -> list[Result]:
        self._check("/")
        check_ops(ops)
        return await self._server.commit(ops, session=self._session_id)

    async def sync(self, path: str) -> None:
        self._check(path)
        await self._server.settled()

    async def close(self) -> None:
        await self._server.end_session(self._session_id)

    def _check(self, path: str) -> None:
        if self._state is SessionState.LOST:
            raise SessionExpiredError(f"the session {self._session_id} has ended")
        check_path(path)

    def _watch(self, kind: WatchKind, path: str, callback: Watcher | None) -> None:
        if callback is not None:
            self._server.watch((kind, path), session=self._session_id, callback=_Hint(callback))

    def _on_lost(self) -> None:
        self._state = SessionState.LOST
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(SessionState.LOST)
