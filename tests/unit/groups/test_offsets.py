from everlog.model.ids import TopicName
from everlog.model.offsets import Offset
from service.groups.offset_record import CommittedOffset
from service.groups.offsets import GroupOffsets

T = TopicName("t")
PLACE = (T, 0)


def _at(offset: int) -> CommittedOffset:
    return CommittedOffset(offset=Offset(offset), committed_ms=0)


def test_the_last_commit_of_a_partition_counts() -> None:
    offsets = GroupOffsets()
    offsets.put(PLACE, _at(1))
    offsets.put(PLACE, _at(2))
    assert offsets.get(T, 0) == _at(2)
    assert offsets.count == 1


def test_what_was_never_committed_is_none() -> None:
    offsets = GroupOffsets()
    offsets.put(PLACE, _at(1))
    assert offsets.get(T, 1) is None
    assert offsets.get(TopicName("other"), 0) is None


def test_nothing_remains_of_what_is_removed() -> None:
    offsets = GroupOffsets()
    offsets.put(PLACE, _at(1))
    offsets.remove(PLACE)
    offsets.remove(PLACE)
    offsets.remove((TopicName("other"), 0))
    assert offsets.is_empty
    assert dict(offsets.topics) == {}


def test_a_commit_that_is_being_written_keeps_its_place() -> None:
    offsets = GroupOffsets()
    offsets.started(PLACE)
    offsets.started(PLACE)
    offsets.ended(PLACE)
    assert offsets.places() == [PLACE]
    assert not offsets.is_empty
    offsets.ended(PLACE)
    assert offsets.is_empty


def test_each_place_is_named_once() -> None:
    offsets = GroupOffsets()
    offsets.put(PLACE, _at(1))
    offsets.started(PLACE)
    offsets.started((T, 1))
    assert offsets.places() == [PLACE, (T, 1)]
