"""The controller: the one broker that elects leaders and writes topics.

Everything it does is one operation after the other, in one task, checked against its term. When
the term is over it forgets all it had in mind and applies again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from everlog.model.errors import EverlogError, FencedError, RetriableError
from service.coordination.change_collection import collect_changes
from service.coordination.changes import last_sequence
from service.coordination.cluster_image import ImageFollower
from service.coordination.controller_term import (
    ControllerBusyError,
    ControllerMovedError,
    ControllerTerm,
    NotControllerError,
)
from service.coordination.image_delta import ImageDelta
from service.coordination.leadership import ElectionStats, RulesOf, default_rules, hold_elections
from service.coordination.metadata_store import (
    ConnectionLostError,
    Create,
    Delete,
    MetadataStore,
    NodeError,
    Op,
    SessionState,
    Set,
)
from service.coordination.payloads import pack, unpack
from service.coordination.remnants import sweep
from service.coordination.replica_moves import has_moved
from service.coordination.znodes import CONTROLLER, CONTROLLER_EPOCH
from service.model.cluster import Broker

T = TypeVar("T")

Operation = Callable[[ControllerTerm], Awaitable[T]]

QUEUED_MAX = 1000
"""Operations that wait for their turn; more are refused, and whoever asked tries again later."""

RETRY_SECONDS = 1.0
"""How soon work that met a passing error is tried again."""

COLLECT_EVERY = 256
"""Published changes after which old ones are removed."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Task:
    """One operation, and who waits for it; nobody does for the controller's own work."""

    operation: Operation[Any]
    answer: asyncio.Future[Any] | None = None

    def finish(self, result: object) -> None:
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(result)

    def fail(self, error: EverlogError) -> None:
        if self.answer is not None and not self.answer.done():
            self.answer.set_exception(error)


class Controller:
    """Applies for the office, and while it has it, does what is asked, in order.

    `run` does all of it; the image must be followed meanwhile.
    """

    def __init__(
        self,
        *,
        store: MetadataStore,
        images: ImageFollower,
        broker: Broker,
        rules_of: RulesOf = default_rules,
        stats: ElectionStats | None = None,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self._retry_seconds = retry_seconds
        self._rules_of = rules_of
        self._stats = stats or ElectionStats()
        self._has_retired = False
        self._store = store
        self._images = images
        self._broker = broker
        self._term: ControllerTerm | None = None
        self._queue: asyncio.Queue[_Task] = asyncio.Queue()
        self._collected_at = -1
        self._is_worth_a_try = asyncio.Event()
        images.subscribe(self._on_delta)
        self._has_taken_stock = asyncio.Event()
        store.subscribe(self._on_session)

    @property
    def term(self) -> ControllerTerm | None:
        """This broker's term as far as it knows; None while another broker is the controller."""
        return self._term

    async def settled(self) -> None:
        """Wait until this broker is the controller and has elected wherever that was needed.

        Or until another broker is the controller: what the image tells of this one may be from its
        life before.
        """
        here = {None, self._broker.id}
        waits = (
            asyncio.ensure_future(self._has_taken_stock.wait()),
            asyncio.ensure_future(
                self._images.wait_for(lambda image: image.controller_id not in here)
            ),
        )
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def run(self) -> None:
        """Be the controller whenever possible, until cancelled, or until `retire`.

        Raises:
            SessionExpiredError: The session has ended.
        """
        while (term := await self._claim()) is not None:
            try:
                await self._serve(term)
            except ControllerMovedError as error:
                say = _log.info if self._has_retired else _log.warning
                say("controller_moved", reason=str(error))
            finally:
                self._resign()

    async def retire(self) -> None:
        """Do not apply any more, and leave the office: another broker has it at once then.

        Without that it would be vacant until this broker's session has ended.

        Raises:
            ConnectionLostError: Whether it was left is unknown.
        """
        self._has_retired = True
        self._is_worth_a_try.set()
        with suppress(NotControllerError):
            await self.perform(self._leave)

    async def perform(self, operation: Operation[T]) -> T:
        """Run an operation when its turn comes, and return its result.

        It runs to its end even if the caller stops waiting.

        Raises:
            NotControllerError: Another broker is the controller.
            EverlogError: Whatever the operation raises.
        """
        if self._term is None:
            raise NotControllerError(f"the controller is broker {self._images.image.controller_id}")
        if self._queue.qsize() >= QUEUED_MAX:
            raise ControllerBusyError(f"{QUEUED_MAX} operations are waiting for the controller")
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait(_Task(operation, answer))
        return await answer

    def perform_later(self, operation: Operation[None]) -> None:
        """Run an operation when its turn comes, again and again until it succeeds.

        It is forgotten if the term ends first: the next controller begins by taking stock.
        """
        if self._term is not None:
            self._queue.put_nowait(_Task(operation))

    async def _claim(self) -> ControllerTerm | None:
        while not self._has_retired:
            try:
                term = await self._try_claim()
            except ConnectionLostError:
                await asyncio.sleep(self._retry_seconds)
                continue
            if term is not None:
                _log.info("controller_elected", broker=self._broker.id, epoch=term.epoch)
                return term
        return None

    async def _try_claim(self) -> ControllerTerm | None:
        """Claim the office once; None when somebody else did, or has now left it."""
        self._is_worth_a_try.clear()
        await self._store.exists(CONTROLLER, watch=self._on_vacancy)
        held, counted = await self._store.get_many([CONTROLLER, CONTROLLER_EPOCH])
        assert counted is not None, "the tree is laid out before anybody registers"
        version = counted[1].version
        ops: list[Op] = []
        if held is not None:
            content, stat = held
            if stat.ephemeral_owner == self._store.session_id:
                # A claim whose answer was lost; while the node is ours, nobody raises the epoch.
                return ControllerTerm(version)
            if unpack(content, CONTROLLER)["broker"] != self._broker.id:
                await self._is_worth_a_try.wait()
                return None
            # Our own, from a session that has not been found dead yet.
            ops.append(Delete(CONTROLLER, stat.version))
        claim = {"broker": self._broker.id, "broker_epoch": self._broker.epoch}
        ops += [
            Set(CONTROLLER_EPOCH, pack(claim), version),
            Create(CONTROLLER, pack(claim), ephemeral=True),
        ]
        try:
            await self._store.multi(ops)
        except NodeError:
            return None
        return ControllerTerm(version + 1)

    async def _serve(self, term: ControllerTerm) -> None:
        self._queue.put_nowait(_Task(self._leave if self._has_retired else self._begin))
        self._term = term
        while True:
            await self._do(await self._queue.get(), term)

    async def _do(self, task: _Task, term: ControllerTerm) -> None:
        try:
            task.finish(await task.operation(term))
        except FencedError:
            task.fail(NotControllerError("another broker is the controller now"))
            raise
        except EverlogError as error:
            task.fail(error)
            if task.answer is None:
                self._repeat(task, term, error)

    def _repeat(self, task: _Task, term: ControllerTerm, error: EverlogError) -> None:
        """Do the controller's own work again after a while, if that can help."""

        def repeat() -> None:
            if self._term == term:
                self._queue.put_nowait(task)

        # A NodeError says that somebody else was at it too.
        if not isinstance(error, RetriableError | NodeError):
            raise error
        _log.warning("controller_work_delayed", reason=str(error))
        asyncio.get_running_loop().call_later(self._retry_seconds, repeat)

    def _resign(self) -> None:
        self._term = None
        self._has_taken_stock.clear()
        while not self._queue.empty():
            task = self._queue.get_nowait()
            task.fail(NotControllerError("another broker is the controller now"))

    async def _begin(self, term: ControllerTerm) -> None:
        """Take stock; nobody else can write now, so at the last change the image is whole."""
        await self._images.reached(await last_sequence(self._store))
        await self._elect(term)
        await sweep(self._store, term)
        await self._collect(term)
        self._has_taken_stock.set()

    async def _elect(self, term: ControllerTerm) -> None:
        """Give a new term to what was led by a broker that has gone, or has been started anew."""
        await hold_elections(
            self._store, term, self._images.image, rules_of=self._rules_of, stats=self._stats
        )

    async def _leave(self, term: ControllerTerm) -> None:
        # Nobody else can have made that node while the epoch is this term's.
        with suppress(NodeError):
            await term.write(self._store, [Delete(CONTROLLER, 0)])
        raise ControllerMovedError("this broker stops, and has left the office")

    async def _collect(self, term: ControllerTerm) -> None:
        self._collected_at = self._images.sequence
        await collect_changes(self._store, term, last=self._collected_at)

    async def _end_with_session(self, _term: ControllerTerm) -> None:
        await self._store.sync(CONTROLLER)

    def _on_vacancy(self, _path: str) -> None:
        self._is_worth_a_try.set()

    def _on_session(self, state: SessionState) -> None:
        # A watch does not survive a lost connection; who waits for work must hear of the end.
        self._is_worth_a_try.set()
        if state is SessionState.LOST:
            self._queue.put_nowait(_Task(self._end_with_session))

    def _on_delta(self, delta: ImageDelta) -> None:
        if self._term is None:
            return
        concerns = (_concerns_draining, _may_be_led_now, has_moved)
        if delta.brokers_changed or any(each(delta) for each in concerns):
            self._queue.put_nowait(_Task(self._elect))
        if self._images.sequence - self._collected_at >= COLLECT_EVERY:
            self._collected_at = self._images.sequence
            self._queue.put_nowait(_Task(self._collect))


def _concerns_draining(delta: ImageDelta) -> bool:
    """Whether something has changed in what is led by a broker that waits to be relieved."""
    draining = {each.id for each in delta.image.brokers.values() if each.draining}
    return any(update.after.leader in draining for update in delta.partitions)


def _may_be_led_now(delta: ImageDelta) -> bool:
    """Whether settings have changed of what nobody leads: they may allow an unclean leader."""
    topics = delta.image.topics.values() if delta.configs_changed else delta.topics_changed
    return any(state.leader is None for topic in topics for state in topic.partitions)
