from service.protocol.api import (
    SUPPORTED,
    VERSIONS,
    ApiKey,
    VersionRange,
    flexible_from,
    is_flexible,
)

ADVERTISED = {
    "PRODUCE": (0, 13, 9),
    "FETCH": (4, 17, 12),
    "LIST_OFFSETS": (1, 11, 6),
    "METADATA": (0, 13, 9),
    "OFFSET_COMMIT": (2, 10, 8),
    "OFFSET_FETCH": (1, 10, 6),
    "FIND_COORDINATOR": (0, 6, 3),
    "JOIN_GROUP": (0, 9, 6),
    "HEARTBEAT": (0, 4, 4),
    "LEAVE_GROUP": (0, 5, 4),
    "SYNC_GROUP": (0, 5, 4),
    "DESCRIBE_GROUPS": (0, 6, 5),
    "LIST_GROUPS": (0, 5, 3),
    "API_VERSIONS": (0, 4, 3),
    "CREATE_TOPICS": (2, 7, 5),
    "DELETE_TOPICS": (1, 6, 4),
    "DELETE_RECORDS": (0, 2, 2),
    "INIT_PRODUCER_ID": (0, 5, 2),
    "OFFSET_FOR_LEADER_EPOCH": (2, 4, 4),
    "DESCRIBE_CONFIGS": (1, 4, 4),
    "ALTER_CONFIGS": (0, 2, 2),
    "DESCRIBE_LOG_DIRS": (1, 4, 2),
    "CREATE_PARTITIONS": (0, 3, 2),
    "DELETE_GROUPS": (0, 2, 2),
    "ELECT_LEADERS": (0, 2, 2),
    "INCREMENTAL_ALTER_CONFIGS": (0, 1, 1),
    "ALTER_PARTITION_REASSIGNMENTS": (0, 0, 0),
    "LIST_PARTITION_REASSIGNMENTS": (0, 0, 0),
    "OFFSET_DELETE": (0, 0, None),
    "DESCRIBE_CLUSTER": (0, 2, 0),
    "DESCRIBE_TOPIC_PARTITIONS": (0, 0, 0),
}


def test_the_advertised_versions_are_the_agreed_ones() -> None:
    table = {
        key.name: (versions.first, versions.last, flexible_from(key))
        for key, versions in SUPPORTED.items()
    }
    assert table == ADVERTISED


def test_produce_is_advertised_from_zero_and_served_from_three() -> None:
    advertised = dict(SUPPORTED)
    assert advertised.pop(ApiKey.PRODUCE) == VersionRange(0, 13)
    served = dict(VERSIONS)
    assert served.pop(ApiKey.PRODUCE) == VersionRange(3, 13)
    assert advertised == served


def test_keys_are_the_numbers_of_kafka() -> None:
    assert [key.value for key in ApiKey] == list(range(93))
    named = (
        ApiKey.API_VERSIONS,
        ApiKey.DESCRIBE_TOPIC_PARTITIONS,
        ApiKey.DELETE_SHARE_GROUP_OFFSETS,
    )
    assert [key.value for key in named] == [18, 75, 92]


def test_a_range_holds_both_of_its_ends() -> None:
    versions = VersionRange(2, 4)
    assert [version for version in range(7) if version in versions] == [2, 3, 4]


def test_flexible_versions_begin_where_the_protocol_says() -> None:
    assert not is_flexible(ApiKey.FETCH, 11)
    assert is_flexible(ApiKey.FETCH, 12)
    assert not is_flexible(ApiKey.OFFSET_DELETE, 0)
