"""The tree with its files and its sessions: what a ZooKeeper server is, inside this process.

A transaction is applied to the tree at once and answered after its sync. All that arrive while a
sync is running share the next one. Reads and refusals wait for what they have seen, so nobody
learns of a state that a crash could take back. No task is needed: a finished write starts the next.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

from service.coordination.embedded.tree import Applied, Snapshot, Target, Tree
from service.coordination.embedded.watches import ChangeWatcher, Watches
from service.coordination.embedded.write_ahead import LogFullError, WriteAhead
from service.coordination.metadata_store import (
    ConnectionLostError,
    Delete,
    NodeError,
    Op,
    Result,
    SessionExpiredError,
)

GROUP_TRANSACTIONS_MAX = 1024
"""Transactions that share one sync at most: bounds the size of a frame."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Somebody who is answered once what they wrote, or have seen, is durable."""

    answer: asyncio.Future[None]
    applied: Applied | None = None


class TreeServer:
    """One tree for any number of sessions in this process."""

    def __init__(self, *, tree: Tree, log: WriteAhead, executor: Executor | None) -> None:
        self._tree = tree
        self._log = log
        self._executor = executor
        self._watches = Watches()
        self._sessions: dict[int, Callable[[], None]] = {}
        self._queue: deque[_Waiting] = deque()
        self._is_writing = False
        self._is_scheduled = False
        self._failure: BaseException | None = None
        self._is_closed = False

    @property
    def tree(self) -> Tree:
        """The tree, its newest transactions perhaps not durable yet. Only to be read."""
        return self._tree

    @property
    def failure(self) -> BaseException | None:
        """What has ended this server; the process has to end too."""
        return self._failure

    async def open_session(self, on_lost: Callable[[], None]) -> int:
        """Begin a session; ``on_lost`` is called when it ends.

        Sessions end with their process, so the ephemeral nodes of unknown ones go first.

        Raises:
            ConnectionLostError: The disk is full, or has failed.
        """
        await self.remove_left_nodes()
        # Its number is that of a transaction of its own, so that it is never used again.
        applied, durable = self.begin((), session=0)
        await durable
        session = applied.transaction.zxid
        self._sessions[session] = on_lost
        return session

    async def remove_left_nodes(self) -> None:
        """Remove the ephemeral nodes of sessions that are not, as after `end_session` has failed.

        Raises:
            ConnectionLostError: The disk is full, or has failed.
        """
        for stranger in set(self._tree.owners()) - set(self._sessions):
            await self.commit(self._farewell(stranger), session=stranger)

    async def end_session(self, session: int) -> None:
        """Remove a session and its ephemeral nodes. Ending it twice does nothing.

        Raises:
            ConnectionLostError: It has ended, but the disk is full, or has failed: its nodes are
                still there.
        """
        on_lost = self._sessions.pop(session, None)
        if on_lost is None:
            return
        self._watches.drop(session)
        on_lost()
        await self.commit(self._farewell(session), session=session)

    async def commit(self, ops: Sequence[Op], *, session: int) -> list[Result]:
        """Do all of it or nothing; durable on return.

        Raises:
            NodeError: The first op that failed.
            ConnectionLostError: The disk failed.
        """
        try:
            applied, durable = self.begin(ops, session=session)
        except NodeError:
            await self.settled()
            raise
        await durable
        return applied.results

    def begin(self, ops: Sequence[Op], *, session: int) -> tuple[Applied, asyncio.Future[None]]:
        """Do all of it or nothing, at once; nobody may hear of it before the future is done.

        The futures of `begin` and `durable` are done in the order in which they were asked for,
        and the hints about a transaction are on their way before its future is done.

        Raises:
            NodeError: The first op that failed; nobody may hear of it before `durable` is done.
            ConnectionLostError: The disk failed.
        """
        self._check_running()
        applied = self._tree.apply(ops, session=session)
        return applied, self._enqueue(applied)

    def durable(self) -> asyncio.Future[None]:
        """Return what is done when all that the tree holds now is durable.

        Raises:
            ConnectionLostError: The disk failed.
        """
        self._check_running()
        if self._is_writing or self._queue:
            return self._enqueue(None)
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    async def settled(self) -> None:
        """Wait until what the tree holds now is durable.

        Raises:
            ConnectionLostError: The disk failed.
        """
        await self.durable()

    def watch(self, target: Target, *, session: int, callback: ChangeWatcher) -> None:
        """Call ``callback`` once at the next such event."""
        seen_zxid = self._tree.zxid
        self._watches.add(target, session=session, callback=callback, seen_zxid=seen_zxid)

    def watch_count(self, session: int) -> int:
        """Return how many watches a session has."""
        return self._watches.count(session)

    def forget_watches(self, session: int) -> None:
        """Forget what a session that lives on has watched."""
        self._watches.drop(session)

    async def close(self) -> None:
        """End all sessions, write what is left, and close the files. Closing twice does nothing."""
        if self._is_closed:
            return
        for session in list(self._sessions):
            if self._failure is None:
                await self.end_session(session)
        if self._failure is None:
            await self.settled()
        self._is_closed = True
        self._log.close()

    def _farewell(self, session: int) -> list[Op]:
        paths = self._tree.owned(session)
        return [Delete(path, self._tree.get(path).version) for path in paths]

    def _check_running(self) -> None:
        if self._failure is not None:
            raise ConnectionLostError(f"the metadata tree has failed: {self._failure}")
        if self._is_closed:
            raise SessionExpiredError("the metadata tree is closed")

    def _enqueue(self, applied: Applied | None) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        answer = loop.create_future()
        self._queue.append(_Waiting(answer, applied))
        if not self._is_writing and not self._is_scheduled:
            # Everybody who asks in this turn of the loop shares the first sync.
            self._is_scheduled = True
            loop.call_soon(self._write_next)
        return answer

    def _write_next(self) -> None:
        self._is_scheduled = False
        size = min(len(self._queue), GROUP_TRANSACTIONS_MAX)
        group = [self._queue.popleft() for _ in range(size)]
        transactions = [each.applied.transaction for each in group if each.applied is not None]
        if not transactions:
            self._answer(group)
            if self._queue:
                self._write_next()
            return
        # The snapshot must hold nothing but what is durable once this group is.
        is_due = self._log.is_snapshot_due and not self._queue
        snapshot = self._tree.snapshot() if is_due else None
        self._run(partial(self._log.append, transactions), partial(self._appended, group, snapshot))

    def _run(self, work: Callable[[], None], done: Callable[[asyncio.Future[None]], None]) -> None:
        self._is_writing = True
        asyncio.get_running_loop().run_in_executor(self._executor, work).add_done_callback(done)

    def _appended(
        self, group: list[_Waiting], snapshot: Snapshot | None, job: asyncio.Future[None]
    ) -> None:
        self._is_writing = False
        error = _error_of(job)
        if isinstance(error, LogFullError):
            self._take_back(group, error)
        elif error is not None:
            self._fail(group, error)
        else:
            self._answer(group)
            if snapshot is not None:
                self._run(partial(self._log.write_snapshot, snapshot), self._snapshot_written)
            else:
                self._write_next()

    def _snapshot_written(self, job: asyncio.Future[None]) -> None:
        self._is_writing = False
        error = _error_of(job)
        if error is not None:
            self._fail([], error)
        else:
            self._write_next()

    def _answer(self, group: list[_Waiting]) -> None:
        loop = asyncio.get_running_loop()
        for each in group:
            if each.applied is not None:
                zxid = each.applied.transaction.zxid
                for callback, path, change in self._watches.take(each.applied.events, zxid=zxid):
                    # Before the answer, so that nobody sees the change and not yet the hint.
                    loop.call_soon(callback, path, change)
            if not each.answer.done():
                each.answer.set_result(None)

    def _take_back(self, group: list[_Waiting], error: LogFullError) -> None:
        """Undo what was not written, and what was built on it; the tree goes on without it."""
        group = self._drain(group)
        for each in reversed(group):
            if each.applied is not None:
                self._tree.undo(each.applied)
        _refuse(group, error)

    def _fail(self, group: list[_Waiting], error: BaseException) -> None:
        self._failure = error
        _refuse(self._drain(group), error)
        sessions, self._sessions = self._sessions, {}
        for on_lost in sessions.values():
            on_lost()

    def _drain(self, group: list[_Waiting]) -> list[_Waiting]:
        everybody = [*group, *self._queue]
        self._queue.clear()
        return everybody


def _error_of(job: asyncio.Future[None]) -> BaseException | None:
    return asyncio.CancelledError() if job.cancelled() else job.exception()


def _refuse(group: list[_Waiting], cause: BaseException) -> None:
    for each in group:
        if not each.answer.done():
            error = ConnectionLostError(f"the metadata was not written: {cause}")
            error.__cause__ = cause
            each.answer.set_exception(error)
