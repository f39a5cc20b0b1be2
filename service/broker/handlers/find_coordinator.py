"""FindCoordinator: which broker coordinates a group."""

from dataclasses import dataclass
from enum import IntEnum

import structlog

from everlog.model.clock import Clock
from everlog.model.errors import EverlogError
from service.broker.context import RequestContext
from service.broker.metadata_view import NO_NODE, Images
from service.groups.limits import NAME_CHARS_MAX
from service.groups.partitioning import OFFSETS_TOPIC, group_partition
from service.groups.ports import OffsetsTopic
from service.model.cluster import TopicImage
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.find_coordinator import (
    Coordinator,
    FindCoordinatorRequest,
    FindCoordinatorResponse,
)
from service.telemetry.logs import Limited

NO_TRANSACTIONS = "Transactions are not offered by this cluster yet."

_MANY_KEYS_SINCE = 4

_log = structlog.get_logger(__name__)


class KeyType(IntEnum):
    """What a key names."""

    GROUP = 0
    TRANSACTION = 1
    SHARE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """Where to go, or why that cannot be said."""

    code: ErrorCode = ErrorCode.NONE
    message: str | None = None
    node_id: int = NO_NODE
    host: str = ""
    port: int = NO_NODE


class FindCoordinatorHandler:
    """Answers from the newest image; only the creation of the offsets topic makes it wait.

    Every broker gives the same answer: the leader of the partition that the group hashes to.
    """

    def __init__(self, *, images: Images, offsets_topic: OffsetsTopic, clock: Clock) -> None:
        self._images = images
        self._offsets_topic = offsets_topic
        self._clock = clock
        self._refusals = Limited()

    async def __call__(
        self, context: RequestContext, request: FindCoordinatorRequest
    ) -> FindCoordinatorResponse:
        if context.api_version < _MANY_KEYS_SINCE:
            found = await self._find(context, request.key_type, request.key)
            return FindCoordinatorResponse(
                error_code=found.code,
                error_message=found.message,
                node_id=found.node_id,
                host=found.host,
                port=found.port,
            )
        coordinators = []
        for key in request.coordinator_keys:
            found = await self._find(context, request.key_type, key)
            coordinators.append(
                Coordinator(
                    key=key,
                    node_id=found.node_id,
                    host=found.host,
                    port=found.port,
                    error_code=found.code,
                    error_message=found.message,
                )
            )
        return FindCoordinatorResponse(coordinators=coordinators)

    async def _find(self, context: RequestContext, key_type: int, key: str) -> _Found:
        if key_type == KeyType.TRANSACTION:
            self._report(context, key)
            # Clients go on asking after any other code; after this one they give up at once.
            return _Found(
                code=ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, message=NO_TRANSACTIONS
            )
        if key_type != KeyType.GROUP:
            return _Found(
                code=ErrorCode.INVALID_REQUEST,
                message=f"There are no coordinators of type {key_type} here.",
            )
        if len(key) > NAME_CHARS_MAX:
            return _Found(code=ErrorCode.INVALID_GROUP_ID, message="The group id is too long.")
        try:
            topic = await self._topic()
        except EverlogError as error:
            return _unavailable(f"{OFFSETS_TOPIC} cannot be created: {error}")
        if topic is None:
            return _unavailable(f"{OFFSETS_TOPIC} is being created.")
        partition = group_partition(key, len(topic.partitions))
        return self._leader(context, topic, partition)

    def _report(self, context: RequestContext, transactional_id: str) -> None:
        """Say in the log what most clients do not show: the message of the refusal."""
        held_back = self._refusals.admit(context.client_host, self._clock.monotonic())
        if held_back is not None:
            _log.warning(
                "transaction_refused",
                client=context.client_host,
                client_id=context.client_id,
                transactional_id=transactional_id,
                reason=NO_TRANSACTIONS,
                held_back=held_back,
            )

    async def _topic(self) -> TopicImage | None:
        topic = self._images().topic(OFFSETS_TOPIC)
        if topic is not None:
            return topic
        await self._offsets_topic.create()
        return self._images().topic(OFFSETS_TOPIC)

    def _leader(self, context: RequestContext, topic: TopicImage, partition: int) -> _Found:
        leader = topic.partitions[partition].leader
        broker = None if leader is None else self._images().brokers.get(leader)
        endpoint = None if broker is None else broker.endpoint(context.listener)
        if broker is None or endpoint is None:
            return _unavailable(f"Partition {partition} of {OFFSETS_TOPIC} has no leader.")
        return _Found(node_id=broker.id, host=endpoint.host, port=endpoint.port)


def _unavailable(message: str) -> _Found:
    return _Found(code=ErrorCode.COORDINATOR_NOT_AVAILABLE, message=message)
