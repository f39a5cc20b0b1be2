"""A read-only broker refuses every write, with codes that clients take as final."""

from typing import Any

import pytest

from service.broker.handlers.write_refusals import write_refusals
from service.model.serving import ConnectionClosingError
from service.protocol.api import ApiKey
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.alter_configs import AlterConfigsRequest, AlterConfigsResource
from service.protocol.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
)
from service.protocol.messages.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsTopic,
)
from service.protocol.messages.create_topics import CreatableTopic, CreateTopicsRequest
from service.protocol.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsTopic,
)
from service.protocol.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from service.protocol.messages.elect_leaders import ElectLeadersRequest, TopicPartitions
from service.protocol.messages.incremental_alter_configs import (
    AlterConfigsResource as IncrementalResource,
)
from service.protocol.messages.incremental_alter_configs import IncrementalAlterConfigsRequest
from service.protocol.messages.init_producer_id import InitProducerIdRequest
from service.protocol.messages.produce import (
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)
from tests.unit.broker.handlers.town import context

WHY = (
    "this broker is read-only, it serves the archive of cluster abc; "
    "write to a broker of that cluster"
)


def answer(key: ApiKey, request: Any, *, version: int) -> Any:
    return write_refusals("abc")[key](context(version), request)


def produce(acks: int) -> ProduceRequest:
    data = [PartitionProduceData(index=0, records=b"x"), PartitionProduceData(index=1)]
    topic = TopicProduceData(name="t", partition_data=data)
    return ProduceRequest(acks=acks, timeout_ms=1, topic_data=[topic])


def test_each_produced_batch_is_refused_and_told_why() -> None:
    (topic,) = answer(ApiKey.PRODUCE, produce(-1), version=9).responses
    assert [
        (each.index, each.error_code, each.error_message, each.base_offset)
        for each in topic.partition_responses
    ] == [(number, ErrorCode.TOPIC_AUTHORIZATION_FAILED, WHY, -1) for number in (0, 1)]


def test_reassignments_are_refused_as_a_whole() -> None:
    request = AlterPartitionReassignmentsRequest(topics=[])
    response = answer(ApiKey.ALTER_PARTITION_REASSIGNMENTS, request, version=0)
    assert (response.error_code, response.error_message) == (ErrorCode.POLICY_VIOLATION, WHY)


def test_who_wants_no_answer_to_a_batch_loses_the_connection() -> None:
    with pytest.raises(ConnectionClosingError, match="is read-only"):
        answer(ApiKey.PRODUCE, produce(0), version=9)


@pytest.mark.parametrize(
    ("transactional_id", "code"),
    [
        (None, ErrorCode.CLUSTER_AUTHORIZATION_FAILED),
        ("t", ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
    ],
)
def test_no_producer_gets_an_id(transactional_id: str | None, code: ErrorCode) -> None:
    request = InitProducerIdRequest(transactional_id=transactional_id, transaction_timeout_ms=1)
    assert answer(ApiKey.INIT_PRODUCER_ID, request, version=4).error_code == code


@pytest.mark.parametrize(
    ("key", "version", "request_", "results"),
    [
        (
            ApiKey.CREATE_TOPICS,
            7,
            CreateTopicsRequest(topics=[CreatableTopic(name="t")], timeout_ms=1),
            "topics",
        ),
        (
            ApiKey.CREATE_PARTITIONS,
            3,
            CreatePartitionsRequest(
                topics=[CreatePartitionsTopic(name="t", count=3)], timeout_ms=1
            ),
            "results",
        ),
        (
            ApiKey.DELETE_TOPICS,
            6,
            DeleteTopicsRequest(topics=[DeleteTopicState(name="t")], timeout_ms=1),
            "responses",
        ),
        (
            ApiKey.DELETE_TOPICS,
            5,
            DeleteTopicsRequest(topic_names=["t"], timeout_ms=1),
            "responses",
        ),
        (
            ApiKey.ALTER_CONFIGS,
            2,
            AlterConfigsRequest(
                resources=[AlterConfigsResource(resource_type=2, resource_name="t")]
            ),
            "responses",
        ),
        (
            ApiKey.INCREMENTAL_ALTER_CONFIGS,
            1,
            IncrementalAlterConfigsRequest(
                resources=[IncrementalResource(resource_type=2, resource_name="t")]
            ),
            "responses",
        ),
    ],
)
def test_nothing_of_a_cluster_is_changed(
    key: ApiKey, version: int, request_: Any, results: str
) -> None:
    (result,) = getattr(answer(key, request_, version=version), results)
    assert (result.error_code, result.error_message) == (ErrorCode.POLICY_VIOLATION, WHY)
    assert getattr(result, "name", "t") == "t"


def test_no_leader_is_elected() -> None:
    wanted = [TopicPartitions(topic="t", partitions=[4])]
    request = ElectLeadersRequest(topic_partitions=wanted)
    for version, code in ((0, ErrorCode.NONE), (1, ErrorCode.POLICY_VIOLATION)):
        response = answer(ApiKey.ELECT_LEADERS, request, version=version)
        assert response.error_code == code
        (topic,) = response.replica_election_results
        (result,) = topic.partition_result
        assert (result.error_code, result.error_message) == (ErrorCode.POLICY_VIOLATION, WHY)


def test_no_records_are_deleted() -> None:
    wanted = DeleteRecordsTopic(
        name="t", partitions=[DeleteRecordsPartition(partition_index=4, offset=9)]
    )
    request = DeleteRecordsRequest(topics=[wanted], timeout_ms=1)
    (topic,) = answer(ApiKey.DELETE_RECORDS, request, version=2).topics
    (result,) = topic.partitions
    assert (result.partition_index, result.error_code) == (4, ErrorCode.POLICY_VIOLATION)
