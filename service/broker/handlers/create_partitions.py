"""CreatePartitions: enlarges topics (KIP-195)."""

from everlog.model.errors import EverlogError
from everlog.model.ids import NodeId, TopicName
from service.broker.context import RequestContext
from service.broker.error_mapping import code_of
from service.coordination.topic_plan import MorePartitions
from service.coordination.topics import TopicRegistry
from service.partition.keeper import PartitionKeeper
from service.protocol.messages.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
    CreatePartitionsTopicResult,
)


class CreatePartitionsHandler:
    """Answers when the new partitions can be used."""

    def __init__(self, *, topics: TopicRegistry, keeper: PartitionKeeper) -> None:
        self._topics = topics
        self._keeper = keeper

    async def __call__(
        self, context: RequestContext, request: CreatePartitionsRequest
    ) -> CreatePartitionsResponse:
        del context
        wanted = [_more(topic) for topic in request.topics]
        try:
            outcomes = list(
                await self._topics.create_partitions(wanted, validate_only=request.validate_only)
            )
        except EverlogError as error:
            outcomes = [error for _ in wanted]
        await self._keeper.settled()
        results = []
        for more, outcome in zip(wanted, outcomes, strict=True):
            result = CreatePartitionsTopicResult(name=more.name)
            if isinstance(outcome, EverlogError):
                result.error_code = code_of(outcome)
                result.error_message = str(outcome)
            results.append(result)
        return CreatePartitionsResponse(results=results)


def _more(topic: CreatePartitionsTopic) -> MorePartitions:
    assignment = None
    if topic.assignments is not None:
        assignment = [[NodeId(node) for node in each.broker_ids] for each in topic.assignments]
    return MorePartitions(name=TopicName(topic.name), partitions=topic.count, assignment=assignment)
