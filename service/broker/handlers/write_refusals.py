"""What a read-only broker answers to whoever would change something: an error that is final.

Each API gets a code that clients of that API take as final. Where the answer has room for a message
it says why; otherwise the code alone has to do.
"""

from service.broker.context import Handler, RequestContext
from service.model.serving import ConnectionClosingError
from service.protocol.api import ApiKey
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.alter_configs import (
    AlterConfigsRequest,
    AlterConfigsResourceResponse,
    AlterConfigsResponse,
)
from service.protocol.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
)
from service.protocol.messages.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopicResult,
)
from service.protocol.messages.create_topics import (
    CreatableTopicResult,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from service.protocol.messages.delete_records import (
    DeleteRecordsPartitionResult,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopicResult,
)
from service.protocol.messages.delete_topics import (
    DeletableTopicResult,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DeleteTopicState,
)
from service.protocol.messages.elect_leaders import (
    ElectLeadersRequest,
    ElectLeadersResponse,
    PartitionResult,
    ReplicaElectionResult,
)
from service.protocol.messages.incremental_alter_configs import (
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from service.protocol.messages.init_producer_id import (
    InitProducerIdRequest,
    InitProducerIdResponse,
)
from service.protocol.messages.produce import (
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceResponse,
)

_STATES_SINCE = 6
_TOP_LEVEL_ERROR_SINCE = 1
_POLICY = ErrorCode.POLICY_VIOLATION


def write_refusals(cluster_id: str) -> dict[ApiKey, Handler]:
    """Return a handler for each API that writes."""
    refusals = WriteRefusals(cluster_id)
    return {
        ApiKey.PRODUCE: refusals.produce,
        ApiKey.INIT_PRODUCER_ID: refusals.init_producer_id,
        ApiKey.CREATE_TOPICS: refusals.create_topics,
        ApiKey.CREATE_PARTITIONS: refusals.create_partitions,
        ApiKey.DELETE_TOPICS: refusals.delete_topics,
        ApiKey.ELECT_LEADERS: refusals.elect_leaders,
        ApiKey.ALTER_PARTITION_REASSIGNMENTS: refusals.alter_reassignments,
        ApiKey.DELETE_RECORDS: refusals.delete_records,
        ApiKey.ALTER_CONFIGS: refusals.alter_configs,
        ApiKey.INCREMENTAL_ALTER_CONFIGS: refusals.incremental_alter_configs,
    }


class WriteRefusals:
    """The handlers.

    Args:
        cluster_id: Whose archive is read.
    """

    def __init__(self, cluster_id: str) -> None:
        self._why = (
            f"this broker is read-only, it serves the archive of cluster {cluster_id}; "
            "write to a broker of that cluster"
        )

    def produce(self, _: RequestContext, request: ProduceRequest) -> ProduceResponse:
        """Refuse as Kafka refuses who may not write to a topic: every producer gives up then."""
        if request.acks == 0:
            raise ConnectionClosingError(self._why)
        return ProduceResponse(
            responses=[
                TopicProduceResponse(
                    name=topic.name,
                    topic_id=topic.topic_id,
                    partition_responses=[
                        PartitionProduceResponse(
                            index=data.index,
                            base_offset=-1,
                            error_code=ErrorCode.TOPIC_AUTHORIZATION_FAILED,
                            error_message=self._why,
                        )
                        for data in topic.partition_data
                    ],
                )
                for topic in request.topic_data
            ]
        )

    def init_producer_id(
        self, _: RequestContext, request: InitProducerIdRequest
    ) -> InitProducerIdResponse:
        """Refuse; other codes would have idempotent producers of librdkafka ask for ever."""
        code = ErrorCode.CLUSTER_AUTHORIZATION_FAILED
        if request.transactional_id is not None:
            code = ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
        return InitProducerIdResponse(error_code=code, producer_epoch=-1)

    def create_topics(
        self, _: RequestContext, request: CreateTopicsRequest
    ) -> CreateTopicsResponse:
        """Refuse every topic."""
        names = dict.fromkeys(topic.name for topic in request.topics)
        return CreateTopicsResponse(
            topics=[
                CreatableTopicResult(name=name, error_code=_POLICY, error_message=self._why)
                for name in names
            ]
        )

    def create_partitions(
        self, _: RequestContext, request: CreatePartitionsRequest
    ) -> CreatePartitionsResponse:
        """Refuse every topic."""
        return CreatePartitionsResponse(
            results=[
                CreatePartitionsTopicResult(
                    name=topic.name, error_code=_POLICY, error_message=self._why
                )
                for topic in request.topics
            ]
        )

    def elect_leaders(
        self, context: RequestContext, request: ElectLeadersRequest
    ) -> ElectLeadersResponse:
        """Refuse every partition."""
        return ElectLeadersResponse(
            error_code=_POLICY if context.api_version >= _TOP_LEVEL_ERROR_SINCE else 0,
            replica_election_results=[
                ReplicaElectionResult(
                    topic=topic.topic,
                    partition_result=[
                        PartitionResult(
                            partition_id=each, error_code=_POLICY, error_message=self._why
                        )
                        for each in topic.partitions
                    ],
                )
                for topic in request.topic_partitions or ()
            ],
        )

    def alter_reassignments(
        self, _: RequestContext, _request: AlterPartitionReassignmentsRequest
    ) -> AlterPartitionReassignmentsResponse:
        """Refuse them all at once."""
        return AlterPartitionReassignmentsResponse(error_code=_POLICY, error_message=self._why)

    def delete_topics(
        self, context: RequestContext, request: DeleteTopicsRequest
    ) -> DeleteTopicsResponse:
        """Refuse every topic."""
        states = request.topics
        if context.api_version < _STATES_SINCE:
            states = [DeleteTopicState(name=name) for name in request.topic_names]
        return DeleteTopicsResponse(
            responses=[
                DeletableTopicResult(
                    name=state.name,
                    topic_id=bytes(state.topic_id),
                    error_code=_POLICY,
                    error_message=self._why,
                )
                for state in states
            ]
        )

    def delete_records(
        self, _: RequestContext, request: DeleteRecordsRequest
    ) -> DeleteRecordsResponse:
        """Refuse every partition; the answer has no room for the reason."""
        return DeleteRecordsResponse(
            topics=[
                DeleteRecordsTopicResult(
                    name=topic.name,
                    partitions=[
                        DeleteRecordsPartitionResult(
                            partition_index=each.partition_index,
                            low_watermark=-1,
                            error_code=_POLICY,
                        )
                        for each in topic.partitions
                    ],
                )
                for topic in request.topics
            ]
        )

    def alter_configs(
        self, _: RequestContext, request: AlterConfigsRequest
    ) -> AlterConfigsResponse:
        """Refuse every resource."""
        named = [(each.resource_type, each.resource_name) for each in request.resources]
        return AlterConfigsResponse(responses=[self._resource(*each) for each in named])

    def incremental_alter_configs(
        self, _: RequestContext, request: IncrementalAlterConfigsRequest
    ) -> IncrementalAlterConfigsResponse:
        """Refuse every resource."""
        named = [(each.resource_type, each.resource_name) for each in request.resources]
        return IncrementalAlterConfigsResponse(responses=[self._resource(*each) for each in named])

    def _resource(self, resource_type: int, name: str) -> AlterConfigsResourceResponse:
        return AlterConfigsResourceResponse(
            error_code=_POLICY,
            error_message=self._why,
            resource_type=resource_type,
            resource_name=name,
        )
