"""Consumer groups: shared partitions, committed positions, and what is read after a restart."""

from collections.abc import Sequence

from tests.conformance.client import AdminClient, Member
from tests.conformance.clients.catalogue import Kind
from tests.conformance.clients.confluent import ConfluentClient
from tests.conformance.clients.kafka_python import KafkaPythonAdmin
from tests.conformance.group import Group
from tests.conformance.records import Record, Shape, assert_same, ends, make_records
from tests.conformance.waiting import wait_until_true

_BATCH = 500
_NOTE = "half of it, größer"


def _read_shares(members: Sequence[Member], records: Sequence[Record], kind: Kind) -> None:
    """Let each member read exactly the records of its partitions, and commit them."""
    for member in members:
        held = member.assigned()
        wanted = [record for record in records if record.partition in held]
        assert_same(member.read(len(wanted)), wanted)
        if kind.commits_at_will:
            member.commit(ends(wanted), "")


def test_members_share_partitions_take_over_and_resume_where_the_group_stopped(
    kind: Kind,
    group: Group,
    reference: ConfluentClient,
    bookkeeper: KafkaPythonAdmin,
    topic: str,
) -> None:
    records = make_records(3 * _BATCH, kind.shape)
    batches = [records[at : at + _BATCH] for at in range(0, len(records), _BATCH)]

    leaving, staying = members = group.join(2)
    reference.produce(topic, batches[0], codec="none", idempotent=False)
    _read_shares(members, batches[0], kind)

    group.leave(leaving)
    reference.produce(topic, batches[1], codec="none", idempotent=False)
    _read_shares([staying], batches[1], kind)
    group.leave(staying)
    committed = bookkeeper.committed(group.name, topic)
    assert {each: offset for each, (offset, _) in committed.items()} == ends(batches[1])

    members = group.join(2)
    reference.produce(topic, batches[2], codec="none", idempotent=False)
    _read_shares(members, batches[2], kind)


def test_a_committed_position_and_its_metadata_survive_a_restart_of_the_group(
    committing_kind: Kind,
    group: Group,
    reference: ConfluentClient,
    bookkeeper: KafkaPythonAdmin,
    topic: str,
) -> None:
    records = make_records(_BATCH, Shape())
    reference.produce(topic, records, codec="none", idempotent=False)
    half = {each: end // 2 for each, end in ends(records).items()}

    (member,) = group.join(1)
    assert_same(member.read(len(records)), records)
    member.commit(half, _NOTE)
    group.leave(member)
    # confluent-kafka sends the null byte that ends its text, too.
    committed = bookkeeper.committed(group.name, topic)
    found = {each: (offset, note.rstrip("\0")) for each, (offset, note) in committed.items()}
    assert found == {each: (offset, _NOTE) for each, offset in half.items()}

    rest = [record for record in records if record.offset >= half[record.partition]]
    (member,) = group.join(1)
    assert_same(member.read(len(rest)), rest)


def test_a_group_is_described_while_it_runs_and_when_it_is_empty(
    admin_kind: Kind, client: AdminClient, group: Group, topic: str
) -> None:
    (member,) = group.join(1)
    assert client.admin.group(group.name) == ("stable", 1)
    member.commit({0: 0, 3: 0}, _NOTE)
    note = _NOTE if admin_kind.reads_metadata else ""
    assert client.admin.committed(group.name, topic) == {0: (0, note), 3: (0, note)}
    group.leave(member)
    wait_until_true(lambda: client.admin.group(group.name) == ("empty", 0))
