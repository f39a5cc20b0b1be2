"""Which handler serves which API, and with what."""

from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from everlog.model.clock import Clock, IdSource
from service.app.cluster_topics import ClusterTopics
from service.app.forwarding import ControllerLink, forwarded
from service.app.office import Office
from service.app.replica_wiring import replication_throttle
from service.app.topic_creation import AutomaticTopics
from service.broker.config_altering import ConfigAltering
from service.broker.context import Handler
from service.broker.fetch_session_cache import FetchSessionCache
from service.broker.fetch_sessions import FetchSessions
from service.broker.handlers.alter_configs import AlterConfigsHandler
from service.broker.handlers.api_versions import ApiVersionsHandler
from service.broker.handlers.create_partitions import CreatePartitionsHandler
from service.broker.handlers.create_topics import CreateTopicsHandler
from service.broker.handlers.delete_groups import DeleteGroupsHandler
from service.broker.handlers.delete_records import DeleteRecordsHandler
from service.broker.handlers.delete_topics import DeleteTopicsHandler
from service.broker.handlers.describe_cluster import DescribeClusterHandler
from service.broker.handlers.describe_configs import DescribeConfigsHandler
from service.broker.handlers.describe_groups import DescribeGroupsHandler
from service.broker.handlers.describe_log_dirs import DescribeLogDirsHandler
from service.broker.handlers.describe_topic_partitions import DescribeTopicPartitionsHandler
from service.broker.handlers.elect_leaders import ElectLeadersHandler
from service.broker.handlers.fetch import FetchHandler
from service.broker.handlers.find_coordinator import FindCoordinatorHandler
from service.broker.handlers.heartbeat import HeartbeatHandler
from service.broker.handlers.incremental_alter_configs import IncrementalAlterConfigsHandler
from service.broker.handlers.init_producer_id import InitProducerIdHandler
from service.broker.handlers.join_group import JoinGroupHandler
from service.broker.handlers.leave_group import LeaveGroupHandler
from service.broker.handlers.list_groups import ListGroupsHandler
from service.broker.handlers.list_offsets import ListOffsetsHandler
from service.broker.handlers.metadata import MetadataHandler
from service.broker.handlers.offset_commit import OffsetCommitHandler
from service.broker.handlers.offset_delete import OffsetDeleteHandler
from service.broker.handlers.offset_fetch import OffsetFetchHandler
from service.broker.handlers.offset_for_leader_epoch import OffsetForLeaderEpochHandler
from service.broker.handlers.produce import ProduceHandler
from service.broker.handlers.reassignments import (
    AlterPartitionReassignmentsHandler,
    ListPartitionReassignmentsHandler,
)
from service.broker.handlers.sync_group import SyncGroupHandler
from service.broker.handlers.write_refusals import write_refusals
from service.broker.leaders import Leaders
from service.broker.metadata_view import Images
from service.broker.near_replicas import NearReplicas
from service.coordination.broker_configs import BrokerConfigs
from service.coordination.producer_ids import ProducerIds
from service.coordination.topics import TopicRegistry
from service.groups.coordinator import GroupCoordinator
from service.groups.ports import OffsetsTopic
from service.hot.store import HotStore
from service.model.broker_config import BrokerConfig
from service.model.disk import Disk
from service.partition.archive_follower import ArchiveFollower
from service.partition.archived_table import BothTables
from service.partition.contact import Contact
from service.partition.deep_validation import DeepValidation
from service.partition.disk_gate import DiskGate
from service.partition.followed_reading import WithFollowed
from service.partition.keeper import PartitionKeeper
from service.partition.readable import FetchableTable, ReadableTable
from service.partition.replica_fetching import ReplicaFetching
from service.partition.replication_throttle import Side
from service.partition.table import PartitionTable
from service.protocol.api import ApiKey


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerServices:
    """What handlers are made of."""

    config: BrokerConfig
    images: Images
    partitions: PartitionTable
    follower: ArchiveFollower | None
    copied: ReplicaFetching
    keeper: PartitionKeeper
    hot: HotStore
    disk_gate: DiskGate
    contact: Contact
    topics: TopicRegistry
    cluster_topics: ClusterTopics
    controller_link: ControllerLink
    office: Office
    broker_configs: BrokerConfigs
    groups: GroupCoordinator
    offsets_topic: OffsetsTopic
    producer_ids: ProducerIds
    clock: Clock
    ids: IdSource
    disk: Disk
    executor: Executor | None
    spawn: Callable[[Coroutine[Any, Any, None]], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Handlers:
    """All of them, and those that have something to run."""

    by_key: Mapping[ApiKey, Handler]
    produce: ProduceHandler


def build_handlers(services: HandlerServices) -> Handlers:
    """Make a handler for every API that is advertised."""
    leaders = Leaders(images=services.images)
    produce = ProduceHandler(
        partitions=services.partitions,
        leaders=leaders,
        deep=DeepValidation(
            clock=services.clock,
            executor=services.executor,
            unpacked_bytes_max=services.config.record_decompressed_max_bytes,
        ),
        disk=services.disk_gate,
        contact=services.contact,
        clock=services.clock,
    )
    by_key: dict[ApiKey, Handler] = {
        ApiKey.PRODUCE: produce,
        **_data_handlers(services),
        **_reading_handlers(services, leaders),
        **_topic_handlers(services),
        **_config_handlers(services),
        **_group_handlers(services),
    }
    if services.follower is not None:
        by_key |= write_refusals(services.follower.cluster_id)
    return Handlers(by_key=forwarded(by_key, services.controller_link), produce=produce)


def _data_handlers(services: HandlerServices) -> dict[ApiKey, Handler]:
    is_creating = services.config.auto_create_topics_enable and services.follower is None
    creation = AutomaticTopics(topics=services.cluster_topics, offsets_topic=services.offsets_topic)
    return {
        ApiKey.API_VERSIONS: ApiVersionsHandler(),
        ApiKey.DELETE_RECORDS: DeleteRecordsHandler(
            partitions=services.partitions, hot=services.hot
        ),
        ApiKey.DESCRIBE_LOG_DIRS: DescribeLogDirsHandler(
            partitions=services.partitions,
            disk=services.disk,
            data_dir=services.config.data_dir,
            executor=services.executor,
        ),
        ApiKey.INIT_PRODUCER_ID: InitProducerIdHandler(producer_ids=services.producer_ids),
        ApiKey.METADATA: MetadataHandler(
            images=services.images,
            creation=creation if is_creating else None,
        ),
    }


def _reading_handlers(services: HandlerServices, leaders: Leaders) -> dict[ApiKey, Handler]:
    follower, config = services.follower, services.config
    partitions: ReadableTable = services.partitions
    if follower is not None:
        partitions = BothTables(services.partitions, follower.table)
    readable: FetchableTable = partitions
    near: NearReplicas | None = None
    if config.reads_from_followers:
        readable = WithFollowed(partitions, services.copied, services.images)
        near = NearReplicas(me=config.broker_id, images=services.images)
    return {
        ApiKey.FETCH: FetchHandler(
            partitions=partitions,
            readable=readable,
            near=near,
            throttle=replication_throttle(
                Side.LEADER, config, image=services.images, clock=services.clock
            ),
            leaders=leaders,
            sessions=FetchSessions(
                cache=FetchSessionCache(
                    clock=services.clock,
                    ids=services.ids,
                    slots=config.max_incremental_fetch_session_cache_slots,
                )
            ),
            spawn=services.spawn,
            bytes_max=config.fetch_max_bytes,
        ),
        ApiKey.LIST_OFFSETS: ListOffsetsHandler(partitions=partitions),
        ApiKey.OFFSET_FOR_LEADER_EPOCH: OffsetForLeaderEpochHandler(partitions=partitions),
    }


def _topic_handlers(services: HandlerServices) -> dict[ApiKey, Handler]:
    config, images = services.config, services.images
    return {
        ApiKey.CREATE_PARTITIONS: CreatePartitionsHandler(
            topics=services.topics, keeper=services.keeper
        ),
        ApiKey.CREATE_TOPICS: CreateTopicsHandler(
            topics=services.topics,
            keeper=services.keeper,
            layers=lambda: config.layers(images().broker_configs),
        ),
        ApiKey.DELETE_TOPICS: DeleteTopicsHandler(
            topics=services.topics,
            keeper=services.keeper,
            images=images,
            is_allowed=config.delete_topic_enable,
        ),
        ApiKey.ELECT_LEADERS: ElectLeadersHandler(
            elections=services.office.elections, keeper=services.keeper
        ),
        ApiKey.ALTER_PARTITION_REASSIGNMENTS: AlterPartitionReassignmentsHandler(
            reassignments=services.office.reassignments, keeper=services.keeper
        ),
        ApiKey.LIST_PARTITION_REASSIGNMENTS: ListPartitionReassignmentsHandler(
            reassignments=services.office.reassignments
        ),
        ApiKey.DESCRIBE_CLUSTER: DescribeClusterHandler(images=images),
        ApiKey.DESCRIBE_TOPIC_PARTITIONS: DescribeTopicPartitionsHandler(images=images),
    }


def _config_handlers(services: HandlerServices) -> dict[ApiKey, Handler]:
    altering = ConfigAltering(
        images=services.images,
        config=services.config,
        topics=services.topics,
        brokers=services.broker_configs,
    )
    return {
        ApiKey.ALTER_CONFIGS: AlterConfigsHandler(altering=altering),
        ApiKey.DESCRIBE_CONFIGS: DescribeConfigsHandler(
            images=services.images, config=services.config
        ),
        ApiKey.INCREMENTAL_ALTER_CONFIGS: IncrementalAlterConfigsHandler(altering=altering),
    }


def _group_handlers(services: HandlerServices) -> dict[ApiKey, Handler]:
    groups = services.groups
    return {
        ApiKey.DELETE_GROUPS: DeleteGroupsHandler(coordinator=groups),
        ApiKey.DESCRIBE_GROUPS: DescribeGroupsHandler(coordinator=groups),
        ApiKey.LIST_GROUPS: ListGroupsHandler(coordinator=groups),
        ApiKey.OFFSET_DELETE: OffsetDeleteHandler(coordinator=groups, images=services.images),
        ApiKey.FIND_COORDINATOR: FindCoordinatorHandler(
            images=services.images, offsets_topic=services.offsets_topic, clock=services.clock
        ),
        ApiKey.HEARTBEAT: HeartbeatHandler(coordinator=groups),
        ApiKey.JOIN_GROUP: JoinGroupHandler(coordinator=groups),
        ApiKey.LEAVE_GROUP: LeaveGroupHandler(coordinator=groups),
        ApiKey.OFFSET_COMMIT: OffsetCommitHandler(coordinator=groups, images=services.images),
        ApiKey.OFFSET_FETCH: OffsetFetchHandler(coordinator=groups, images=services.images),
        ApiKey.SYNC_GROUP: SyncGroupHandler(coordinator=groups),
    }
