"""The APIs of the Kafka protocol, and which of them are served in which versions.

Minimums are those of Apache Kafka 4.x (KIP-896). A version is a promise of its meaning and not
only of its layout: it is advertised once every feature that it implies exists.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType


class ApiKey(IntEnum):
    """Every API key up to Apache Kafka 4.3, by Kafka's own names."""

    PRODUCE = 0
    FETCH = 1
    LIST_OFFSETS = 2
    METADATA = 3
    LEADER_AND_ISR = 4
    STOP_REPLICA = 5
    UPDATE_METADATA = 6
    CONTROLLED_SHUTDOWN = 7
    OFFSET_COMMIT = 8
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    JOIN_GROUP = 11
    HEARTBEAT = 12
    LEAVE_GROUP = 13
    SYNC_GROUP = 14
    DESCRIBE_GROUPS = 15
    LIST_GROUPS = 16
    SASL_HANDSHAKE = 17
    API_VERSIONS = 18
    CREATE_TOPICS = 19
    DELETE_TOPICS = 20
    DELETE_RECORDS = 21
    INIT_PRODUCER_ID = 22
    OFFSET_FOR_LEADER_EPOCH = 23
    ADD_PARTITIONS_TO_TXN = 24
    ADD_OFFSETS_TO_TXN = 25
    END_TXN = 26
    WRITE_TXN_MARKERS = 27
    TXN_OFFSET_COMMIT = 28
    DESCRIBE_ACLS = 29
    CREATE_ACLS = 30
    DELETE_ACLS = 31
    DESCRIBE_CONFIGS = 32
    ALTER_CONFIGS = 33
    ALTER_REPLICA_LOG_DIRS = 34
    DESCRIBE_LOG_DIRS = 35
    SASL_AUTHENTICATE = 36
    CREATE_PARTITIONS = 37
    CREATE_DELEGATION_TOKEN = 38
    RENEW_DELEGATION_TOKEN = 39
    EXPIRE_DELEGATION_TOKEN = 40
    DESCRIBE_DELEGATION_TOKEN = 41
    DELETE_GROUPS = 42
    ELECT_LEADERS = 43
    INCREMENTAL_ALTER_CONFIGS = 44
    ALTER_PARTITION_REASSIGNMENTS = 45
    LIST_PARTITION_REASSIGNMENTS = 46
    OFFSET_DELETE = 47
    DESCRIBE_CLIENT_QUOTAS = 48
    ALTER_CLIENT_QUOTAS = 49
    DESCRIBE_USER_SCRAM_CREDENTIALS = 50
    ALTER_USER_SCRAM_CREDENTIALS = 51
    VOTE = 52
    BEGIN_QUORUM_EPOCH = 53
    END_QUORUM_EPOCH = 54
    DESCRIBE_QUORUM = 55
    ALTER_PARTITION = 56
    UPDATE_FEATURES = 57
    ENVELOPE = 58
    FETCH_SNAPSHOT = 59
    DESCRIBE_CLUSTER = 60
    DESCRIBE_PRODUCERS = 61
    BROKER_REGISTRATION = 62
    BROKER_HEARTBEAT = 63
    UNREGISTER_BROKER = 64
    DESCRIBE_TRANSACTIONS = 65
    LIST_TRANSACTIONS = 66
    ALLOCATE_PRODUCER_IDS = 67
    CONSUMER_GROUP_HEARTBEAT = 68
    CONSUMER_GROUP_DESCRIBE = 69
    CONTROLLER_REGISTRATION = 70
    GET_TELEMETRY_SUBSCRIPTIONS = 71
    PUSH_TELEMETRY = 72
    ASSIGN_REPLICAS_TO_DIRS = 73
    LIST_CONFIG_RESOURCES = 74
    DESCRIBE_TOPIC_PARTITIONS = 75
    SHARE_GROUP_HEARTBEAT = 76
    SHARE_GROUP_DESCRIBE = 77
    SHARE_FETCH = 78
    SHARE_ACKNOWLEDGE = 79
    ADD_RAFT_VOTER = 80
    REMOVE_RAFT_VOTER = 81
    UPDATE_RAFT_VOTER = 82
    INITIALIZE_SHARE_GROUP_STATE = 83
    READ_SHARE_GROUP_STATE = 84
    WRITE_SHARE_GROUP_STATE = 85
    DELETE_SHARE_GROUP_STATE = 86
    READ_SHARE_GROUP_STATE_SUMMARY = 87
    STREAMS_GROUP_HEARTBEAT = 88
    STREAMS_GROUP_DESCRIBE = 89
    DESCRIBE_SHARE_GROUP_OFFSETS = 90
    ALTER_SHARE_GROUP_OFFSETS = 91
    DELETE_SHARE_GROUP_OFFSETS = 92


@dataclass(frozen=True, slots=True)
class VersionRange:
    """Versions from ``first`` to ``last``, both included, as ApiVersions states them."""

    first: int
    last: int

    def __contains__(self, version: int) -> bool:
        return self.first <= version <= self.last


@dataclass(frozen=True, slots=True, kw_only=True)
class _Api:
    versions: VersionRange
    flexible_from: int | None


def _api(first: int, last: int, *, flexible: int | None) -> _Api:
    return _Api(versions=VersionRange(first, last), flexible_from=flexible)


_APIS: Mapping[ApiKey, _Api] = {
    ApiKey.PRODUCE: _api(3, 13, flexible=9),
    ApiKey.FETCH: _api(4, 17, flexible=12),
    ApiKey.LIST_OFFSETS: _api(1, 11, flexible=6),
    ApiKey.METADATA: _api(0, 13, flexible=9),
    ApiKey.OFFSET_COMMIT: _api(2, 10, flexible=8),
    ApiKey.OFFSET_FETCH: _api(1, 10, flexible=6),
    ApiKey.FIND_COORDINATOR: _api(0, 6, flexible=3),
    ApiKey.JOIN_GROUP: _api(0, 9, flexible=6),
    ApiKey.HEARTBEAT: _api(0, 4, flexible=4),
    ApiKey.LEAVE_GROUP: _api(0, 5, flexible=4),
    ApiKey.SYNC_GROUP: _api(0, 5, flexible=4),
    ApiKey.DESCRIBE_GROUPS: _api(0, 6, flexible=5),
    ApiKey.LIST_GROUPS: _api(0, 5, flexible=3),
    ApiKey.API_VERSIONS: _api(0, 4, flexible=3),
    ApiKey.CREATE_TOPICS: _api(2, 7, flexible=5),
    ApiKey.DELETE_TOPICS: _api(1, 6, flexible=4),
    ApiKey.DELETE_RECORDS: _api(0, 2, flexible=2),
    ApiKey.INIT_PRODUCER_ID: _api(0, 5, flexible=2),
    ApiKey.OFFSET_FOR_LEADER_EPOCH: _api(2, 4, flexible=4),
    ApiKey.DESCRIBE_CONFIGS: _api(1, 4, flexible=4),
    ApiKey.ALTER_CONFIGS: _api(0, 2, flexible=2),
    ApiKey.DESCRIBE_LOG_DIRS: _api(1, 4, flexible=2),
    ApiKey.CREATE_PARTITIONS: _api(0, 3, flexible=2),
    ApiKey.DELETE_GROUPS: _api(0, 2, flexible=2),
    ApiKey.ELECT_LEADERS: _api(0, 2, flexible=2),
    ApiKey.INCREMENTAL_ALTER_CONFIGS: _api(0, 1, flexible=1),
    ApiKey.ALTER_PARTITION_REASSIGNMENTS: _api(0, 0, flexible=0),
    ApiKey.LIST_PARTITION_REASSIGNMENTS: _api(0, 0, flexible=0),
    ApiKey.OFFSET_DELETE: _api(0, 0, flexible=None),
    ApiKey.DESCRIBE_CLUSTER: _api(0, 2, flexible=0),
    ApiKey.DESCRIBE_TOPIC_PARTITIONS: _api(0, 0, flexible=0),
}

VERSIONS: Mapping[ApiKey, VersionRange] = MappingProxyType(
    {key: declared.versions for key, declared in _APIS.items()}
)
"""The versions that can be read and written."""

PRODUCE_ADVERTISED_FROM = 0
"""Old librdkafka does not compress if this is above 0 (KAFKA-18659); versions 0-2 are refused."""

SUPPORTED: Mapping[ApiKey, VersionRange] = MappingProxyType(
    {
        **VERSIONS,
        ApiKey.PRODUCE: VersionRange(PRODUCE_ADVERTISED_FROM, VERSIONS[ApiKey.PRODUCE].last),
    }
)
"""The versions that the ApiVersions response advertises."""


def flexible_from(key: ApiKey) -> int | None:
    """Return the first version of an API with compact lengths and tagged fields (KIP-482), if any.

    Raises:
        KeyError: The API is not served.
    """
    return _APIS[key].flexible_from


def is_flexible(key: ApiKey, version: int) -> bool:
    """Whether a version of an API has compact lengths and tagged fields.

    Raises:
        KeyError: The API is not served.
    """
    first = _APIS[key].flexible_from
    return first is not None and version >= first
