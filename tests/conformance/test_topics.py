"""Topics through each client's admin interface: their life, settings, offsets and deletions."""

from tests.conformance.client import EARLIEST, LATEST, AdminClient
from tests.conformance.clients.catalogue import Kind
from tests.conformance.clients.confluent import ConfluentClient
from tests.conformance.records import Record, assert_same
from tests.conformance.waiting import wait_until_true

_START_MS = 1_600_000_000_000
_STEP_MS = 1000


def _records(count: int) -> list[Record]:
    """Return records of partition 0, a second apart."""
    return [
        Record(0, number, _START_MS + number * _STEP_MS, None, b"%d" % number, ())
        for number in range(count)
    ]


def test_a_topic_is_created_described_and_deleted(
    admin_kind: Kind, client: AdminClient, topic: str
) -> None:
    own = f"{topic}-made-by-{admin_kind.name}"
    client.admin.create_topic(own, 3, {"retention.ms": "3600000"})
    wait_until_true(lambda: {topic, own} <= client.admin.topics())
    assert client.admin.partitions(own) == {0, 1, 2}
    assert client.admin.config(own, "retention.ms") == "3600000"
    client.admin.delete_topic(own)
    wait_until_true(lambda: own not in client.admin.topics())
    assert topic in client.admin.topics()


def test_a_topic_setting_is_changed_and_read_back(
    admin_kind: Kind, client: AdminClient, topic: str
) -> None:
    assert client.admin.config(topic, "max.message.bytes") == "1048588"
    client.admin.set_config(topic, "max.message.bytes", "2000000")
    wait_until_true(lambda: client.admin.config(topic, "max.message.bytes") == "2000000")


def test_offsets_are_found_by_time(
    admin_kind: Kind, client: AdminClient, reference: ConfluentClient, topic: str
) -> None:
    reference.produce(topic, _records(100), codec="none", idempotent=False)
    find = client.admin.offset_at
    assert find(topic, 0, EARLIEST) == 0
    assert find(topic, 0, LATEST) == 100
    assert find(topic, 0, 0) == 0
    assert find(topic, 0, _START_MS + 42 * _STEP_MS) == 42
    assert find(topic, 0, _START_MS + 42 * _STEP_MS + 1) == 43
    # Kafka answers -1 when no record is that late; KafkaJS makes the end of it.
    assert find(topic, 0, _START_MS + 100 * _STEP_MS) in {None, 100}
    assert (find(topic, 1, EARLIEST), find(topic, 1, LATEST)) == (0, 0)


def test_deleted_records_are_gone_and_the_others_stay(
    admin_kind: Kind, client: AdminClient, reference: ConfluentClient, topic: str
) -> None:
    records = _records(100)
    reference.produce(topic, records, codec="none", idempotent=False)
    client.admin.delete_records(topic, 0, 40)
    assert client.admin.offset_at(topic, 0, EARLIEST) == 40
    assert client.admin.offset_at(topic, 0, LATEST) == 100
    assert_same(client.consume(topic, 60), records[40:])
