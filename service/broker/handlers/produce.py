"""Produce: appends one batch to each named partition, and answers when they are all committed.

The hot path (budget in bench/results): everything up to the append happens in one go on the loop,
and one future stands for the whole request while the commit group writes.
"""

import asyncio
from functools import partial
from typing import Any

from everlog.model.clock import Clock
from everlog.model.errors import EverlogError
from everlog.records.validation import InvalidRecordError, InvalidTimestampError
from service.broker.context import RequestContext
from service.broker.error_mapping import code_of, message_of
from service.broker.leaders import Leaders
from service.coordination.topic_errors import InvalidTopicNameError
from service.model.cluster import INTERNAL_TOPICS
from service.model.serving import ConnectionClosingError, Deferred, HeldBack
from service.partition.contact import Contact
from service.partition.deep_validation import DeepValidation
from service.partition.disk_gate import REFUSED_SECONDS, DiskGate
from service.partition.errors import DiskCrowdedError, NotLeaderError
from service.partition.partition import Appended, Partition
from service.partition.table import PartitionTable
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.produce import (
    BatchIndexAndErrorMessage,
    LeaderIdAndEpoch,
    NodeEndpoint,
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
    TopicProduceResponse,
)

TIMEOUT_SWEEP_SECONDS = 0.5
"""How late REQUEST_TIMED_OUT may be; the default timeout of producers is 30 s."""

_ZSTD_SINCE = 7
_TOPIC_IDS_SINCE = 13
_ACKS_NONE = 0
_ACKS_ALL = -1
_ACKS = (_ACKS_ALL, _ACKS_NONE, 1)


class _Pending(Deferred):
    """A request whose batches are not all committed.

    ``everywhere`` says that all replicas in sync have to store them; ``is_opening``, that some have
    to be looked at first; ``is_silent``, that nobody waits for the outcome; ``hold_seconds``, for
    how long the sender has to wait with its next request; ``listener``, by which this one came.
    """

    __slots__ = (
        "deadline",
        "everywhere",
        "hold_seconds",
        "is_opening",
        "is_silent",
        "left",
        "listener",
        "response",
        "waiting",
    )

    def __init__(self, response: ProduceResponse, *, everywhere: bool, listener: str) -> None:
        super().__init__()
        self.response = response
        self.everywhere = everywhere
        self.listener = listener
        self.deadline = 0.0
        self.hold_seconds = 0.0
        self.left = 0
        self.is_opening = False
        self.is_silent = False
        self.waiting: list[PartitionProduceResponse] = []


class ProduceHandler:
    """Appends produced batches.

    Args:
        partitions: Those that this broker leads.
        leaders: Tells who leads the others.
        deep: Appends to topics whose batches are opened first.
        disk: Has or has no room for a batch.
        contact: Says whether a batch may be acknowledged that no other replica has.
        clock: For time-outs.
    """

    def __init__(
        self,
        *,
        partitions: PartitionTable,
        leaders: Leaders,
        deep: DeepValidation,
        disk: DiskGate,
        contact: Contact,
        clock: Clock,
    ) -> None:
        self._partitions = partitions
        self._leaders = leaders
        self._deep = deep
        self._disk = disk
        self._contact = contact
        self._clock = clock
        self._pending: dict[_Pending, None] = {}

    def __call__(
        self, context: RequestContext, request: ProduceRequest
    ) -> ProduceResponse | Deferred | HeldBack | None:
        pending = _Pending(
            ProduceResponse(), everywhere=request.acks == _ACKS_ALL, listener=context.listener
        )
        result = self._serve(context, request, pending)
        if not pending.hold_seconds:
            return result
        pending.response.throttle_time_ms = round(1000 * pending.hold_seconds)
        return HeldBack(result, pending.hold_seconds)

    def _serve(
        self, context: RequestContext, request: ProduceRequest, pending: _Pending
    ) -> ProduceResponse | Deferred | None:
        refusal = _refusal(request)
        response = pending.response
        seen: set[tuple[object, int]] = set()
        failed = False
        for topic in request.topic_data:
            results: list[PartitionProduceResponse] = []
            response.responses.append(
                TopicProduceResponse(
                    name=topic.name, topic_id=topic.topic_id, partition_responses=results
                )
            )
            for data in topic.partition_data:
                result = PartitionProduceResponse(index=data.index, base_offset=-1)
                results.append(result)
                key = (topic.name or topic.topic_id, data.index)
                if refusal is not None or key in seen:
                    _refuse(result, refusal or _TWICE)
                else:
                    seen.add(key)
                    self._append(context, topic, data, result, pending)
                failed = failed or result.error_code != 0
        if request.acks == _ACKS_NONE:
            if failed:
                # A client that wants no answer can be told in no other way (as in Kafka).
                raise ConnectionClosingError(_SILENT_FAILURE)
            pending.is_silent = True
            return pending if pending.is_opening else None
        if not pending.left:
            return response
        pending.deadline = self._clock.monotonic() + request.timeout_ms / 1000
        self._pending[pending] = None
        return pending

    async def run(self) -> None:
        """Answer requests that have waited for longer than they wanted, until cancelled."""
        while True:
            await asyncio.sleep(TIMEOUT_SWEEP_SECONDS)
            now = self._clock.monotonic()
            for pending in [each for each in self._pending if each.deadline <= now]:
                for result in pending.waiting:
                    if result.error_code == 0 and result.base_offset == -1:
                        _refuse(result, (ErrorCode.REQUEST_TIMED_OUT, None))
                self._settle(pending)

    def _append(
        self,
        context: RequestContext,
        topic: TopicProduceData,
        data: PartitionProduceData,
        result: PartitionProduceResponse,
        pending: _Pending,
    ) -> None:
        try:
            partition = self._partition(context, topic, data.index)
            if pending.everywhere:
                partition.check_in_sync()
            else:
                self._contact.check(partition)
            records: Any = data.records
            wait = self._disk.take(0 if records is None else len(records))
            pending.hold_seconds = max(pending.hold_seconds, wait)
            if partition.opens_batches:
                self._open(context, partition, records, result, pending)
                return
            appended = partition.append(records, zstd_allowed=context.api_version >= _ZSTD_SINCE)
        except EverlogError as error:
            _blame(result, error)
            if isinstance(error, NotLeaderError):
                self._name_leader(pending, topic.name, topic.topic_id, result)
            elif isinstance(error, DiskCrowdedError):
                pending.hold_seconds = max(pending.hold_seconds, REFUSED_SECONDS)
            return
        if partition.is_stored(appended.end_offset, everywhere=pending.everywhere):
            _accept(result, appended, partition)
            return
        pending.left += 1
        pending.waiting.append(result)
        self._wait(pending, result, appended, partition)

    def _partition(self, context: RequestContext, topic: TopicProduceData, index: int) -> Partition:
        if context.api_version >= _TOPIC_IDS_SINCE:
            found = self._partitions.by_id(topic.topic_id, index)
        else:
            found = self._partitions.by_name(topic.name, index)
        if found is None:
            raise self._leaders.why_not_served(topic.name, topic.topic_id, index)
        return found

    def _name_leader(
        self, pending: _Pending, topic: str, topic_id: bytes, result: PartitionProduceResponse
    ) -> None:
        """Save the client a Metadata request (KIP-951)."""
        response = pending.response
        leader = self._leaders.leader_of(topic, topic_id, result.index)
        if leader is None:
            return
        result.current_leader = LeaderIdAndEpoch(
            leader_id=leader.node_id, leader_epoch=leader.epoch
        )
        named = {each.node_id for each in response.node_endpoints}
        for broker in self._leaders.brokers({leader.node_id} - named):
            endpoint = broker.endpoint(pending.listener)
            if endpoint is not None:
                response.node_endpoints.append(
                    NodeEndpoint(
                        node_id=broker.id, host=endpoint.host, port=endpoint.port, rack=broker.rack
                    )
                )

    def _open(
        self,
        context: RequestContext,
        partition: Partition,
        records: Any,
        result: PartitionProduceResponse,
        pending: _Pending,
    ) -> None:
        """Have a batch looked at before it is appended; other requests go on meanwhile."""
        if partition.topic in INTERNAL_TOPICS:
            raise InvalidTopicNameError(f"{partition.topic} is written by the broker itself")
        self._deep.append(
            partition,
            records,
            partial(self._opened, pending, result, partition),
            zstd_allowed=context.api_version >= _ZSTD_SINCE,
        )
        pending.left += 1
        pending.waiting.append(result)
        pending.is_opening = True

    def _opened(
        self,
        pending: _Pending,
        result: PartitionProduceResponse,
        partition: Partition,
        outcome: Appended | EverlogError,
    ) -> None:
        if isinstance(outcome, EverlogError):
            _blame(result, outcome)
        elif partition.is_stored(outcome.end_offset, everywhere=pending.everywhere):
            _accept(result, outcome, partition)
        else:
            self._wait(pending, result, outcome, partition)
            return
        self._finish_one(pending)

    def _wait(
        self,
        pending: _Pending,
        result: PartitionProduceResponse,
        appended: Appended,
        partition: Partition,
    ) -> None:
        waiters = partition.append_waiters if pending.everywhere else partition.local_waiters
        waiters.add(
            appended.end_offset, partial(self._acknowledge, pending, result, appended, partition)
        )

    def _acknowledge(
        self,
        pending: _Pending,
        result: PartitionProduceResponse,
        appended: Appended,
        partition: Partition,
        error: EverlogError | None,
    ) -> None:
        """Note that a batch is committed, or that nobody can tell any more."""
        if error is None:
            _accept(result, appended, partition)
        else:
            _blame(result, error)
            if isinstance(error, NotLeaderError):
                self._name_leader(pending, partition.topic, partition.id.topic_id, result)
        self._finish_one(pending)

    def _finish_one(self, pending: _Pending) -> None:
        pending.left -= 1
        if not pending.left:
            self._settle(pending)

    def _settle(self, pending: _Pending) -> None:
        self._pending.pop(pending, None)
        if not pending.is_silent:
            pending.resolve(pending.response)
        elif any(result.error_code for result in pending.waiting):
            pending.resolve(ConnectionClosingError(_SILENT_FAILURE))
        else:
            pending.resolve(None)


_SILENT_FAILURE = "a batch with acks=0 was refused"
_Refusal = tuple[ErrorCode, str | None]
_TWICE: _Refusal = (ErrorCode.INVALID_REQUEST, "the partition is named twice in one request")


def _refusal(request: ProduceRequest) -> _Refusal | None:
    """Why nothing of the request may be done, if so."""
    if request.acks not in _ACKS:
        return ErrorCode.INVALID_REQUIRED_ACKS, f"acks={request.acks} is not -1, 0 or 1"
    if request.transactional_id is not None:
        return (
            ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
            "transactions are not offered yet; produce without a transactional.id",
        )
    return None


def _refuse(result: PartitionProduceResponse, refusal: _Refusal) -> None:
    result.error_code, result.error_message = refusal
    result.base_offset = -1


def _blame(result: PartitionProduceResponse, error: EverlogError) -> None:
    _refuse(result, (code_of(error), message_of(error)))
    if isinstance(error, InvalidRecordError | InvalidTimestampError):
        result.record_errors = [
            BatchIndexAndErrorMessage(
                batch_index=fault.index, batch_index_error_message=fault.message
            )
            for fault in error.faults
        ]


def _accept(result: PartitionProduceResponse, appended: Appended, partition: Partition) -> None:
    result.base_offset = appended.base_offset
    result.log_start_offset = partition.log_start
    if appended.append_time_ms is not None:
        result.log_append_time_ms = appended.append_time_ms
