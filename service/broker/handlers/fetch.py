"""Fetch: reads batches, or waits until there are enough of them.

Whatever is at hand is answered at once; a cold or slow partition never delays the others, its read
goes on in the background and the next poll finds it done (TIER-37).
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

from everlog.model.errors import EverlogError
from everlog.model.ids import NodeId
from service.broker.context import RequestContext
from service.broker.fetch_reading import STAYS, FetchReading, Nearest, Pass, Replica, Wanted
from service.broker.fetch_sessions import FetchSessions, SessionRefusedError, SessionView
from service.broker.leaders import Leaders
from service.broker.near_replicas import NearReplicas
from service.model.log import LogSlice
from service.model.serving import Deferred
from service.partition.readable import FetchableTable
from service.partition.replication_throttle import ReplicationThrottle
from service.protocol.messages.fetch import FetchRequest, FetchResponse, NodeEndpoint

FETCH_BYTES_MAX = 55 * 1024 * 1024
"""Kafka's ``fetch.max.bytes`` of a broker."""

SLOW_READ_MS = 500
"""A fetch that finds nothing at hand waits so long for a read from a device or the object store."""

STORAGE_ERROR_MS = 500
"""An error of the store or of a disk is told so late, and no later, for want of anything else."""

NO_EPOCH = -1
"""Of a replica that does not name its registration."""

WAIT_MS_MAX = 5 * 60 * 1000
"""Nobody waits longer for data than this, whatever the request says."""


class _Alarm:
    """What a slow read rings at its end: it wakes a fetch that waits, and nobody before or after.

    A fetch that is done refers to itself nowhere: left to the garbage collector, thousands of them
    would stall the loop for tens of milliseconds every other second.
    """

    __slots__ = ("wakes",)

    def __init__(self) -> None:
        self.wakes: Callable[[], None] | None = None

    def ring(self) -> None:
        if self.wakes is not None:
            self.wakes()


class _Waiting(Deferred):
    """A fetch that has not found enough yet."""

    def __init__(
        self,
        *,
        reading: FetchReading,
        answer: Callable[[Pass], FetchResponse],
        bytes_min: int,
        fault_ms: int,
        alarm: _Alarm,
    ) -> None:
        super().__init__()
        self.reading = reading
        self.bytes_min = bytes_min
        self._fault_ms = fault_ms
        self._answer = answer
        self._alarm = alarm
        alarm.wakes = self.wake
        self._is_scheduled = False
        self._timer: asyncio.TimerHandle | None = None

    def wait(self, wait_ms: int) -> None:
        """Come back when one of the partitions has something new, or when the time is up."""
        self._timer = asyncio.get_running_loop().call_later(wait_ms / 1000, self._expire)
        self._watch()

    def wake(self) -> None:
        """Look again, once for everything that happens in this round of the loop."""
        if not self._is_scheduled and not self.is_resolved:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._look)

    def settle(self, made: Pass) -> None:
        """Answer with what was found."""
        if not self.is_resolved:
            self._stop()
            self.resolve(self._answer(made))

    def _look(self) -> None:
        self._is_scheduled = False
        if self.is_resolved:
            return
        made = self.reading.run()
        if made.size >= self.bytes_min or made.is_urgent:
            self.settle(made)
            return
        if made.is_faulty:
            self._hurry()
        self._watch()

    def _hurry(self) -> None:
        """Let the time be up soon, if it would not be sooner."""
        loop, seconds = asyncio.get_running_loop(), self._fault_ms / 1000
        if self._timer is not None and self._timer.when() > loop.time() + seconds:
            self._timer.cancel()
            self._timer = loop.call_later(seconds, self._expire)

    def _expire(self) -> None:
        if not self.is_resolved:
            self.settle(self.reading.run())

    def _watch(self) -> None:
        for each in self.reading.wanted:
            for waiters in self.reading.waiters(each):
                waiters.add(self.wake)

    def _stop(self) -> None:
        self._alarm.wakes = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for each in self.reading.wanted:
            try:
                for waiters in self.reading.waiters(each):
                    waiters.discard(self.wake)
            except EverlogError:
                continue  # the partition has gone, and its waiters with it


class FetchHandler:
    """Serves consumers, and replicas.

    Args:
        partitions: Those that this broker serves to replicas.
        readable: Those that it serves to consumers.
        near: Finds replicas that are nearer to a consumer.
        throttle: Says which replicas are to wait.
        leaders: Tells who leads the others.
        sessions: Incremental fetch sessions (KIP-227).
        spawn: Starts the task of a slow read under an owner.
        fault_ms: How late an error of the store or of a disk is told; see `STORAGE_ERROR_MS`.
    """

    def __init__(
        self,
        *,
        partitions: FetchableTable,
        readable: FetchableTable | None = None,
        near: NearReplicas | None = None,
        throttle: ReplicationThrottle | None = None,
        leaders: Leaders,
        sessions: FetchSessions,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        bytes_max: int = FETCH_BYTES_MAX,
        fault_ms: int = STORAGE_ERROR_MS,
    ) -> None:
        self._partitions = partitions
        self._readable = readable or partitions
        self._near = near
        self._throttle = throttle
        self._leaders = leaders
        self._sessions = sessions
        self._spawn = spawn
        self._bytes_max = bytes_max
        self._fault_ms = fault_ms

    def __call__(self, context: RequestContext, request: FetchRequest) -> FetchResponse | Deferred:
        try:
            view = self._sessions.open(request, context.api_version)
        except SessionRefusedError as error:
            return FetchResponse(error_code=error.code)
        alarm = _Alarm()
        replica = _replica_of(request)
        reading = FetchReading(
            partitions=self._readable if replica is None else self._partitions,
            leaders=self._leaders,
            wanted=view.wanted,
            bytes_max=max(0, min(request.max_bytes, self._bytes_max)),
            isolation=request.isolation_level,
            replica=replica,
            nearest=self._nearest(context, request),
            start_slow_read=partial(self._start_slow_read, alarm),
            throttle=self._throttle,
        )
        made = reading.run()
        bytes_min = min(request.min_bytes, self._bytes_max)
        wait_ms = min(request.max_wait_ms, WAIT_MS_MAX)
        if not made.size and any(each.slow for each in view.wanted):
            # There is something, only not at hand: an empty answer would say that there is nothing.
            bytes_min, wait_ms = max(bytes_min, 1), max(wait_ms, SLOW_READ_MS)
        if made.is_faulty:
            wait_ms = min(wait_ms, self._fault_ms)
        if made.limited_seconds:
            wait_ms = min(wait_ms, math.ceil(made.limited_seconds * 1000))
        if made.size >= bytes_min or made.is_urgent or wait_ms <= 0 or not view.wanted:
            return self._answer(view, context.listener, made)
        waiting = _Waiting(
            reading=reading,
            answer=partial(self._answer, view, context.listener),
            bytes_min=bytes_min,
            fault_ms=self._fault_ms,
            alarm=alarm,
        )
        waiting.wait(wait_ms)
        return waiting

    def _nearest(self, context: RequestContext, request: FetchRequest) -> Nearest:
        if self._near is None or not request.rack_id:
            return STAYS
        return self._near.of(request.rack_id, context.listener)

    def _start_slow_read(self, alarm: _Alarm, each: Wanted, work: Awaitable[LogSlice]) -> None:
        self._spawn(_read_slowly(each, work, alarm))

    def _answer(self, view: SessionView, listener: str, made: Pass) -> FetchResponse:
        response = view.respond(made.results)
        for broker in self._leaders.brokers(made.leaders) if made.leaders else ():
            endpoint = broker.endpoint(listener)
            if endpoint is not None:
                response.node_endpoints.append(
                    NodeEndpoint(
                        node_id=broker.id, host=endpoint.host, port=endpoint.port, rack=broker.rack
                    )
                )
        return response


def _replica_of(request: FetchRequest) -> Replica | None:
    """Return who fetches, unless it is a consumer."""
    state = request.replica_state
    node_id, epoch = (
        (request.replica_id, -1) if state is None else (state.replica_id, state.replica_epoch)
    )
    return Replica(NodeId(node_id), epoch) if node_id >= 0 else None


async def _read_slowly(each: Wanted, work: Awaitable[LogSlice], alarm: _Alarm) -> None:
    """Finish a read in the background; its outcome waits in the request's entry."""
    try:
        each.ready = await work
    except EverlogError as error:
        # It holds nothing: others may be read in its place.
        each.ready, each.held = error, 0
    each.slow = False
    alarm.ring()
