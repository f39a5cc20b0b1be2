"""ElectLeaders: has preferred or unclean leaders elected (KIP-183, KIP-460)."""

from collections import defaultdict

from everlog.model.errors import EverlogError
from everlog.model.ids import TopicName
from service.broker.context import RequestContext
from service.broker.error_mapping import code_of, message_of
from service.coordination.asked_elections import ElectionKind, LeaderElections, Named, Outcomes
from service.partition.keeper import PartitionKeeper
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.elect_leaders import (
    PREFERRED,
    UNCLEAN,
    ElectLeadersRequest,
    ElectLeadersResponse,
    PartitionResult,
    ReplicaElectionResult,
)

_KINDS = {PREFERRED: ElectionKind.PREFERRED, UNCLEAN: ElectionKind.UNCLEAN}
_UNKNOWN_KIND = "the election type is 0 for preferred leaders, or 1 for unclean ones"
_TOP_LEVEL_SINCE = 1


class ElectLeadersHandler:
    """Answers when the elections are held."""

    def __init__(self, *, elections: LeaderElections, keeper: PartitionKeeper) -> None:
        self._elections = elections
        self._keeper = keeper

    async def __call__(
        self, context: RequestContext, request: ElectLeadersRequest
    ) -> ElectLeadersResponse:
        kind = _KINDS.get(request.election_type)
        wanted = _wanted(request)
        if kind is None:
            refused = [
                (each, PartitionResult(error_code=_INVALID, error_message=_UNKNOWN_KIND))
                for each in wanted or ()
            ]
            return ElectLeadersResponse(
                error_code=_INVALID, replica_election_results=_by_topic(refused)
            )
        try:
            outcomes: Outcomes = await self._elections.elect(wanted, kind)
        except EverlogError as error:
            outcomes = dict.fromkeys(wanted or (), error)
            code = code_of(error) if context.api_version >= _TOP_LEVEL_SINCE else ErrorCode.NONE
            return ElectLeadersResponse(
                error_code=code, replica_election_results=_results(outcomes)
            )
        await self._keeper.settled()
        return ElectLeadersResponse(replica_election_results=_results(outcomes))


_INVALID = ErrorCode.INVALID_REQUEST


def _wanted(request: ElectLeadersRequest) -> list[Named] | None:
    if request.topic_partitions is None:
        return None
    return [
        (TopicName(topic.topic), number)
        for topic in request.topic_partitions
        for number in topic.partitions
    ]


def _results(outcomes: Outcomes) -> list[ReplicaElectionResult]:
    return _by_topic([(named, _result(why)) for named, why in outcomes.items()])


def _result(why: EverlogError | None) -> PartitionResult:
    if why is None:
        return PartitionResult(error_message=None)
    return PartitionResult(error_code=code_of(why), error_message=message_of(why))


def _by_topic(results: list[tuple[Named, PartitionResult]]) -> list[ReplicaElectionResult]:
    topics: defaultdict[str, list[PartitionResult]] = defaultdict(list)
    for (name, number), result in results:
        result.partition_id = number
        topics[name].append(result)
    return [
        ReplicaElectionResult(topic=name, partition_result=found) for name, found in topics.items()
    ]
