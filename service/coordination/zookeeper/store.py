"""`MetadataStore` over ZooKeeper: one session, and everything below one path."""

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any

from everlog.model.clock import Clock
from service.coordination.metadata_store import (
    Check,
    Create,
    Delete,
    NodeExistsError,
    NodeTooLargeError,
    NoNodeError,
    Op,
    Result,
    SessionState,
    Set,
    Stat,
    Watcher,
    check_ops,
    check_path,
)
from service.coordination.zookeeper.errors import transaction_error
from service.coordination.zookeeper.session import ZooKeeperSession
from service.coordination.zookeeper.settings import ZooKeeperSettings
from service.coordination.zookeeper.watches import Watch

PACKET_BYTES_MAX = (1 << 20) - 1
"""ZooKeeper's jute.maxbuffer; a larger request it answers by closing the connection (REL-K12)."""

_OPERATION_BYTES = 80
"""What the wire adds to an operation at most: header, lengths, version, flags, access list."""

_PACKET_BYTES = 32


class ZooKeeperStore:
    """One session with ZooKeeper. Has a `session`, which tells more than the port asks for."""

    def __init__(self, session: ZooKeeperSession, *, root: str) -> None:
        self.session = session
        self._client = session.client
        self._root = root

    @classmethod
    async def connect(
        cls, settings: ZooKeeperSettings, *, clock: Clock, executor: Executor | None = None
    ) -> "ZooKeeperStore":
        """Open a session, and create the path that everything is below if it is missing.

        Args:
            settings: All about the session.
            clock: For the time of the last answer.
            executor: Starts and stops kazoo; None for the loop's own.

        Raises:
            ZooKeeperUnreachableError: No server has answered in time; the message names them all.
            RejectedError: The servers do not take the credentials, or do not let the path be made.
        """
        session = ZooKeeperSession(settings, clock=clock, executor=executor)
        await session.connect()
        store = cls(session, root="")
        try:
            await store._make_root(settings.address.root)
        except BaseException:
            await session.close()
            raise
        store._root = settings.address.root
        return store

    @property
    def session_id(self) -> int:
        return self.session.session_id

    @property
    def state(self) -> SessionState:
        return self.session.state

    def subscribe(self, callback: Any) -> None:
        self.session.subscribe(callback)

    async def get(self, path: str, *, watch: Watcher | None = None) -> tuple[bytes, Stat]:
        self._check(path)
        full, told = self._full(path), self._watch(path, watch)
        data, stat = await self.session.call(path, lambda: self._client.get_async(full, told))
        return data, _stat(stat)

    async def get_many(self, paths: Sequence[str]) -> list[tuple[bytes, Stat] | None]:
        for path in paths:
            self._check(path)
        self.session.check_open()
        answers = [self.session.call(path, self._getter(path)) for path in paths]
        found: list[tuple[bytes, Stat] | None] = []
        try:
            for answer in answers:
                try:
                    data, stat = await answer
                except NoNodeError:
                    found.append(None)
                else:
                    found.append((data, _stat(stat)))
        finally:
            for answer in answers:
                # Those behind a failed one: nobody waits for them, or asks how they went.
                answer.cancel()
                if not answer.cancelled():
                    answer.exception()
        return found

    async def exists(self, path: str, *, watch: Watcher | None = None) -> Stat | None:
        self._check(path)
        full, told = self._full(path), self._watch(path, watch)
        stat = await self.session.call(path, lambda: self._client.exists_async(full, told))
        return None if stat is None else _stat(stat)

    async def children(self, path: str, *, watch: Watcher | None = None) -> list[str]:
        self._check(path)
        full, told = self._full(path), self._watch(path, watch)
        names = await self.session.call(path, lambda: self._client.get_children_async(full, told))
        return sorted(names)

    async def create(
        self, path: str, data: bytes = b"", *, ephemeral: bool = False, sequential: bool = False
    ) -> str:
        self._check_size([Create(path, data, ephemeral, sequential)])
        full = self._full(path)
        created: str = await self.session.call(
            path,
            lambda: self._client.create_async(full, data, ephemeral=ephemeral, sequence=sequential),
        )
        return created.removeprefix(self._root)

    async def set(self, path: str, data: bytes, *, version: int) -> Stat:
        self._check_size([Set(path, data, version)])
        full = self._full(path)
        stat = await self.session.call(path, lambda: self._client.set_async(full, data, version))
        return _stat(stat)

    async def delete(self, path: str, *, version: int) -> None:
        self._check_size([Delete(path, version)])
        full = self._full(path)
        await self.session.call(path, lambda: self._client.delete_async(full, version))

    async def multi(self, ops: Sequence[Op]) -> list[Result]:
        self._check_size(ops)
        if not ops:
            return []
        transaction = self._client.transaction()
        for op in ops:
            self._add(transaction, op)
        where = ops[0].path if len(ops) == 1 else f"a transaction that begins at {ops[0].path}"
        results = await self.session.call(where, transaction.commit_async)
        error = transaction_error(results, ops)
        if error is not None:
            raise error
        return [self._result(op, each) for op, each in zip(ops, results, strict=True)]

    async def sync(self, path: str) -> None:
        self._check(path)
        full = self._full(path)
        await self.session.call(path, lambda: self._client.sync_async(full))

    async def close(self) -> None:
        await self.session.close()

    async def _make_root(self, root: str) -> None:
        parts = root.split("/")[1:]
        for count in range(1, len(parts) + 1):
            path = "/" + "/".join(parts[:count])
            if await self.exists(path) is None:
                try:
                    await self.create(path)
                except NodeExistsError:
                    continue  # another broker of the new cluster was first

    def _full(self, path: str) -> str:
        if path == "/":
            return self._root or "/"
        return self._root + path

    def _watch(self, path: str, callback: Watcher | None) -> Watch | None:
        return None if callback is None else Watch(path, callback, self.session.inbox)

    def _getter(self, path: str) -> Any:
        full = self._full(path)
        return lambda: self._client.get_async(full)

    def _check(self, path: str) -> None:
        self.session.check_open()
        check_path(path)

    def _check_size(self, ops: Sequence[Op]) -> None:
        self.session.check_open()
        check_ops(ops)
        packet_bytes = _PACKET_BYTES + sum(map(self._wire_bytes, ops))
        if packet_bytes > PACKET_BYTES_MAX:
            raise NodeTooLargeError(
                f"a transaction of {len(ops)} operations has about {packet_bytes} bytes; "
                f"ZooKeeper takes {PACKET_BYTES_MAX}"
            )

    def _wire_bytes(self, op: Op) -> int:
        data_bytes = len(op.data) if isinstance(op, Create | Set) else 0
        return _OPERATION_BYTES + len(self._root) + len(op.path.encode()) + data_bytes

    def _add(self, transaction: Any, op: Op) -> None:
        full = self._full(op.path)
        match op:
            case Create():
                transaction.create(full, op.data, ephemeral=op.ephemeral, sequence=op.sequential)
            case Set():
                transaction.set_data(full, op.data, op.version)
            case Delete():
                transaction.delete(full, op.version)
            case Check():
                transaction.check(full, op.version)

    def _result(self, op: Op, result: Any) -> Result:
        if isinstance(op, Create):
            return str(result).removeprefix(self._root)
        return _stat(result) if isinstance(op, Set) else None


def _stat(stat: Any) -> Stat:
    return Stat(
        version=stat.version,
        czxid=stat.czxid,
        mzxid=stat.mzxid,
        ephemeral_owner=stat.ephemeralOwner or None,
    )
