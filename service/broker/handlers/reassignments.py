"""Partition reassignments: what is to be moved, and what is on its way (KIP-455)."""

from collections import defaultdict
from collections.abc import Sequence

from everlog.model.errors import EverlogError
from everlog.model.ids import NodeId, TopicName
from service.broker.context import RequestContext
from service.broker.error_mapping import code_of, message_of
from service.coordination.asked_elections import Named, Outcomes
from service.coordination.reassignments import Reassignments
from service.partition.keeper import PartitionKeeper
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    ReassignablePartitionResponse,
    ReassignableTopicResponse,
)
from service.protocol.messages.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
    OngoingPartitionReassignment,
    OngoingTopicReassignment,
)


class AlterPartitionReassignmentsHandler:
    """Answers when reassignments are begun; ListPartitionReassignments tells when they are done."""

    def __init__(self, *, reassignments: Reassignments, keeper: PartitionKeeper) -> None:
        self._reassignments = reassignments
        self._keeper = keeper

    async def __call__(
        self, _context: RequestContext, request: AlterPartitionReassignmentsRequest
    ) -> AlterPartitionReassignmentsResponse:
        wanted: dict[Named, Sequence[NodeId] | None] = {}
        for topic in request.topics:
            for each in topic.partitions:
                replicas = None if each.replicas is None else tuple(map(NodeId, each.replicas))
                wanted[TopicName(topic.name), each.partition_index] = replicas
        try:
            outcomes = await self._reassignments.alter(wanted)
        except EverlogError as error:
            return AlterPartitionReassignmentsResponse(
                error_code=code_of(error), error_message=message_of(error)
            )
        await self._keeper.settled()
        return AlterPartitionReassignmentsResponse(error_message=None, responses=_results(outcomes))


class ListPartitionReassignmentsHandler:
    """Answers from the controller's newest image."""

    def __init__(self, *, reassignments: Reassignments) -> None:
        self._reassignments = reassignments

    async def __call__(
        self, _context: RequestContext, request: ListPartitionReassignmentsRequest
    ) -> ListPartitionReassignmentsResponse:
        named: list[Named] | None = None
        if request.topics is not None:
            named = [
                (TopicName(topic.name), number)
                for topic in request.topics
                for number in topic.partition_indexes
            ]
        try:
            found = await self._reassignments.under_way(named)
        except EverlogError as error:
            return ListPartitionReassignmentsResponse(
                error_code=code_of(error), error_message=message_of(error)
            )
        topics: defaultdict[str, list[OngoingPartitionReassignment]] = defaultdict(list)
        for (name, number), state in found.items():
            topics[name].append(
                OngoingPartitionReassignment(
                    partition_index=number,
                    replicas=list(state.replicas),
                    adding_replicas=list(state.adding),
                    removing_replicas=list(state.removing),
                )
            )
        return ListPartitionReassignmentsResponse(
            error_message=None,
            topics=[
                OngoingTopicReassignment(name=name, partitions=partitions)
                for name, partitions in topics.items()
            ],
        )


def _results(outcomes: Outcomes) -> list[ReassignableTopicResponse]:
    topics: defaultdict[str, list[ReassignablePartitionResponse]] = defaultdict(list)
    for (name, number), why in outcomes.items():
        topics[name].append(
            ReassignablePartitionResponse(
                partition_index=number,
                error_code=ErrorCode.NONE if why is None else code_of(why),
                error_message=None if why is None else message_of(why),
            )
        )
    return [
        ReassignableTopicResponse(name=name, partitions=partitions)
        for name, partitions in topics.items()
    ]
