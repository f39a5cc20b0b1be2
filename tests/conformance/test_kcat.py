"""What kcat prints of a cluster, which people and scripts read."""

import pytest

from tests.conformance.client import Surroundings
from tests.conformance.clients.catalogue import kinds
from tests.conformance.clients.confluent import ConfluentClient
from tests.conformance.clients.kcat import KcatClient
from tests.conformance.records import Record

(_KIND,) = (kind for kind in kinds() if kind.name == "kcat")
pytestmark = pytest.mark.skipif(_KIND.missing() is not None, reason=str(_KIND.missing()))


@pytest.fixture
def kcat(surroundings: Surroundings) -> KcatClient:
    return KcatClient(surroundings)


def test_the_listing_names_the_broker_and_every_partition_with_a_leader(
    kcat: KcatClient, reference: ConfluentClient, topic: str
) -> None:
    listing = kcat.metadata(topic)
    for host, port in reference.admin.leaders(topic).values():
        assert f"at {host}:{port}" in listing
    assert f'topic "{topic}" with 4 partitions:' in listing
    assert listing.count("partition ") == listing.count(", leader ") == 4
    assert "leader -1" not in listing


def test_a_time_is_answered_with_its_offset(
    kcat: KcatClient, reference: ConfluentClient, topic: str
) -> None:
    records = [Record(2, number, 1000 + 1000 * number, None, b"", ()) for number in range(10)]
    reference.produce(topic, records, codec="none", idempotent=False)
    assert kcat.offset_at(topic, 2, 4500) == f"{topic} [2] offset 4\n"
