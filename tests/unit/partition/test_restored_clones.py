"""A restore writes down what must stay for clones, whoever tells that there are any."""

from dataclasses import replace

import pytest

from everlog.format.object_keys import PartitionPath
from everlog.format.origins import Origin
from everlog.format.topic_record import TopicRecord
from everlog.model.ids import TopicId, TopicName, id_text
from everlog.model.offsets import LeaderEpoch, Offset
from service.coordination.clone_pins import Cloned
from service.partition.restored_clones import DeadTopic, restored_clones, with_kept
from service.partition.restored_topics import FoundTopic, topic_outcomes
from service.tiering.partition_restore import RestoredTier, Source

SOURCE, CLONE = (TopicId(bytes([number]) * 16) for number in (1, 2))
PIN = Cloned(source=SOURCE, clone=CLONE, rank=0, partitions=2)


def path(topic_id: TopicId, number: int = 0) -> PartitionPath:
    return PartitionPath(cluster_id="c", topic_id=topic_id, partition=number)


def recorded() -> FoundTopic:
    told = {"partitions": 2, "topics": [{"topic_id": id_text(SOURCE), "name": "old"}]}
    record = TopicRecord(
        name=TopicName("copy"),
        topic_id=CLONE,
        partitions=2,
        config={},
        created_ms=1,
        extra={"cloned_from": told},
    )
    return FoundTopic(topic_id=CLONE, record=record, tiers={})


def unrecorded() -> FoundTopic:
    tier = RestoredTier(
        path=path(CLONE, 1),
        epoch=LeaderEpoch(1),
        pointer=None,
        source=Source.NEWEST,
        origins=(Origin(path=path(SOURCE, 1), end=Offset(9), ver=3),),
    )
    return FoundTopic(topic_id=CLONE, record=None, tiers={1: tier})


def test_the_record_of_a_clone_tells_even_if_it_is_not_restored() -> None:
    assert restored_clones([recorded()], [], dead=()).pins == [PIN]


def test_the_roots_of_a_clone_tell_where_its_record_is_lost() -> None:
    topic = unrecorded()
    assert restored_clones([topic], topic_outcomes([topic]), dead=()).pins == [PIN]


def dead(topic_id: TopicId, record: TopicRecord | None = None) -> DeadTopic:
    return DeadTopic(topic_id=topic_id, record=record, deleted_ms=5)


def test_a_deleted_source_is_collected_once_nobody_needs_it() -> None:
    (deleted,) = restored_clones([recorded()], [], dead=[dead(SOURCE)]).deleted
    assert (deleted.topic_id, deleted.name, deleted.partitions) == (SOURCE, "old", 2)
    assert deleted.deleted_ms == 5


def found(topic_id: TopicId, name: str, source: Source, *, number: int = 0) -> FoundTopic:
    tier = RestoredTier(
        path=path(topic_id, number), epoch=LeaderEpoch(1), pointer=None, source=source
    )
    record = recorded().record
    assert record is not None
    record = replace(record, topic_id=topic_id, name=TopicName(name), partitions=3)
    if topic_id != CLONE:
        record = replace(record, extra={})
    return FoundTopic(topic_id=topic_id, record=record, tiers={number: tier})


def test_a_source_that_is_kept_for_a_clone_which_is_left_out_says_so() -> None:
    topic = found(SOURCE, "old", Source.NEWEST)
    outcomes = with_kept(topic_outcomes([topic]), [PIN], {CLONE: TopicName("copy")})
    ((note,),) = (each.notes for each in outcomes)
    assert "nothing archived of it will be deleted, for the sake of copy" in note
    both = topic_outcomes([topic, found(CLONE, "copy", Source.NEWEST)])
    assert not any(each.notes for each in with_kept(both, [PIN], {CLONE: TopicName("copy")}))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (Source.OBJECTS, "what it had of old is not in it"),
        (Source.HINT, "what it had of old is not in it"),
        (Source.NOTHING, "it begins with what old has then, if that is restored"),
    ],
)
def test_a_clone_whose_roots_are_lost_says_what_that_means(source: Source, said: str) -> None:
    (outcome,) = topic_outcomes([found(CLONE, "copy", source)])
    assert said in outcome.notes[0]
    (outcome,) = topic_outcomes([found(CLONE, "copy", source, number=2)])
    assert outcome.notes == [], "there were two partitions when it was made"
    (outcome,) = topic_outcomes([found(CLONE, "copy", Source.NEWEST)])
    assert outcome.notes == []


def test_a_deleted_topic_goes_when_it_would_have_gone_and_keeps_till_then_what_it_needs() -> None:
    restored = restored_clones([], [], dead=[dead(CLONE, recorded().record)])
    (deleted,) = restored.deleted
    assert (deleted.topic_id, deleted.name, deleted.partitions) == (CLONE, "copy", 2)
    assert deleted.deleted_ms == 5
    assert restored.pins == [PIN]


def test_a_deleted_topic_of_which_nothing_is_known_is_left_alone() -> None:
    assert restored_clones([recorded()], [], dead=[dead(TopicId(bytes(16)))]).deleted == []
