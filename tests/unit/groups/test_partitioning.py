import pytest

from service.groups.partitioning import group_partition, java_hash

# Printed by Apache Kafka 4.1.0: String.hashCode, and Utils.abs of it modulo 50.
KAFKA = [
    ("", 0, 0),
    ("group", 98629247, 47),
    ("abc-consumer-group", -72719693, 43),
    ("zzzzzzzzzz", -1580979136, 36),
    ("grüppe", -1233264812, 12),
    ("\N{GRINNING FACE} emoji", -1572615351, 1),
    ("polygenelubricants", -(2**31), 0),
]


@pytest.mark.parametrize(("group_id", "code", "partition"), KAFKA)
def test_a_group_lives_where_kafka_puts_it(group_id: str, code: int, partition: int) -> None:
    assert java_hash(group_id) == code
    assert group_partition(group_id, 50) == partition
