"""What is wrong with one topic is told, and never stops another one."""

from dataclasses import replace

import pytest

from everlog.format.object_keys import PartitionPath
from everlog.format.pointer import decode_pointer, unclaimed
from everlog.format.topic_record import TopicRecord
from everlog.model.errors import CorruptionError
from everlog.model.ids import TopicId, TopicName
from everlog.model.offsets import LeaderEpoch, Offset
from service.partition.restored_topics import (
    FoundTopic,
    readable_config,
    recovered_name,
    source_text,
    topic_outcomes,
)
from service.tiering.partition_names import RESTORE_EPOCH_STEP
from service.tiering.partition_restore import RestoredTier, Source


def topic_id(name: str) -> TopicId:
    return TopicId(name.encode().ljust(16, b"."))


def record(
    name: str, *, id_of: str | None = None, partitions: int = 1, **config: str
) -> TopicRecord:
    return TopicRecord(
        name=TopicName(name),
        topic_id=topic_id(id_of or name),
        partitions=partitions,
        config={key.replace("_", "."): value for key, value in config.items()},
        created_ms=1,
    )


def tier(name: str, number: int = 0, *, end: int | None = 5) -> RestoredTier:
    path = PartitionPath(cluster_id="c", topic_id=topic_id(name), partition=number)
    return RestoredTier(
        path=path,
        epoch=LeaderEpoch(1007),
        pointer=None if end is None else unclaimed(Offset(end)),
        source=Source.NEWEST if end is not None else Source.LATER,
    )


def found(known: TopicRecord, *tiers: RestoredTier) -> FoundTopic:
    by_number = {each.path.partition: each for each in tiers}
    return FoundTopic(topic_id=known.topic_id, record=known, tiers=by_number)


def test_a_topic_has_all_its_partitions_back_whether_or_not_they_have_objects() -> None:
    (outcome,) = topic_outcomes([found(record("a", partitions=3), tier("a", 1))])
    assert outcome.restored is not None
    epochs = [each.epoch for each in outcome.restored.partitions]
    assert epochs == [RESTORE_EPOCH_STEP, 1007, RESTORE_EPOCH_STEP]
    pointers = [each.pointer for each in outcome.restored.partitions]
    assert not pointers[0]
    assert decode_pointer(pointers[1]) == unclaimed(Offset(5))
    assert outcome.problem is None


@pytest.mark.rule("TIER-34")
def test_a_partition_that_cannot_be_read_keeps_its_topic_back_and_no_other() -> None:
    broken = found(record("a", partitions=2), tier("a", 0))
    broken = replace(broken, tiers={**broken.tiers, 1: CorruptionError("bits")})
    outcomes = topic_outcomes([broken, found(record("b"), tier("b"))])
    assert [each.name for each in outcomes] == ["a", "b"]
    assert outcomes[0].restored is None
    assert outcomes[0].problem == "partition 1: bits"
    assert source_text(outcomes[0]) == "not restored"
    assert outcomes[1].restored is not None


@pytest.mark.rule("TIER-34")
def test_settings_that_nobody_knows_are_kept_and_told() -> None:
    kept, notes = readable_config({"retention.ms": "5", "from.the.future": "x"})
    assert kept == {"retention.ms": "5", "from.the.future": "x"}
    assert notes == ["setting from.the.future=x is not known here, and is kept"]


@pytest.mark.rule("TIER-16")
@pytest.mark.parametrize("text", ["soon", str(1 << 63), "-2"])
def test_settings_that_cannot_be_read_are_left_out_and_told(text: str) -> None:
    kept, notes = readable_config({"retention.ms": text, "segment.bytes": "1048576"})
    assert kept == {"segment.bytes": "1048576"}
    assert notes[0].startswith(f"setting retention.ms={text} is left out")


def test_a_topic_without_a_record_gets_a_name_from_its_id() -> None:
    unknown = FoundTopic(topic_id=topic_id("x"), record=None, tiers={2: tier("x", 2)})
    (outcome,) = topic_outcomes([unknown])
    assert outcome.name == recovered_name(topic_id("x"))
    assert outcome.restored is not None
    assert len(outcome.restored.partitions) == 3
    assert "nothing tells its name" in outcome.notes[0]


def test_of_two_topics_of_one_name_the_newer_keeps_it() -> None:
    older = found(record("a", id_of="1"), tier("1"))
    newer = found(replace(record("a", id_of="2"), created_ms=2), tier("2"))
    for order in ([older, newer], [newer, older]):
        names = {each.topic_id: each.name for each in topic_outcomes(order)}
        assert names == {topic_id("1"): recovered_name(topic_id("1")), topic_id("2"): "a"}


def test_a_topic_that_was_not_there_yet_takes_nobody_s_name() -> None:
    before = found(record("a", id_of="1"), tier("1"))
    later = found(replace(record("a", id_of="2"), created_ms=2), tier("2", end=None))
    outcomes = topic_outcomes([before, replace(later, is_later=True)])
    restored = [each for each in outcomes if each.restored is not None]
    assert [(each.name, each.topic_id) for each in restored] == [("a", topic_id("1"))]


def test_a_name_that_no_topic_can_have_is_replaced() -> None:
    (outcome,) = topic_outcomes([found(record("a b"), tier("a b"))])
    assert outcome.name == recovered_name(topic_id("a b"))
    assert "letters, digits" in outcome.notes[0]


def test_objects_of_more_partitions_than_the_record_knows_are_not_lost() -> None:
    (outcome,) = topic_outcomes([found(record("a", partitions=1), tier("a", 3))])
    assert outcome.partitions == 4
    assert "objects of 4" in outcome.notes[0]


def test_a_name_with_a_number_beyond_all_partitions_is_a_problem_and_no_huge_topic() -> None:
    (outcome,) = topic_outcomes([found(record("a"), tier("a", (1 << 31) - 2))])
    assert outcome.restored is None
    assert outcome.problem is not None


def test_a_topic_whose_records_are_all_later_is_there_if_its_objects_are_not() -> None:
    topic = replace(found(record("a"), tier("a")), is_later=True)
    (outcome,) = topic_outcomes([topic])
    assert outcome.restored is not None


def test_a_topic_that_began_later_is_left_out() -> None:
    later = replace(found(record("a"), tier("a", end=None)), is_later=True)
    (outcome,) = topic_outcomes([later])
    assert outcome.restored is None
    assert outcome.problem is None
    assert source_text(outcome) == "left out"


def test_a_topic_of_the_time_without_any_object_is_restored_empty() -> None:
    (outcome,) = topic_outcomes([found(record("a"), tier("a", end=None))])
    assert outcome.restored is not None
    assert source_text(outcome) == "nothing archived"
