"""Fetch sessions: KIP-227's rules, without sockets or logs."""

import pytest

from service.broker.fetch_session import EPOCH_MAX, next_epoch
from service.broker.fetch_session_cache import (
    PARTITIONS_PER_SESSION_MAX,
    UNUSED_SECONDS_MIN,
    FetchSessionCache,
)
from service.broker.fetch_sessions import FetchSessions, SessionRefusedError, SessionView
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.fetch import (
    EpochEndOffset,
    FetchPartition,
    FetchRequest,
    FetchResponse,
    FetchTopic,
    ForgottenTopic,
    PartitionData,
)
from tests.simulation.clock import ManualClock, SeededIds

BY_NAME = 12
BY_ID = 13


class Desk:
    """Sessions, and a client that follows partitions ``t-0``, ``t-1`` and so on."""

    def __init__(self, *, slots: int = 10, partitions_max: int = 1000) -> None:
        self.clock = ManualClock()
        self.cache = FetchSessionCache(
            clock=self.clock, ids=SeededIds(), slots=slots, partitions_max=partitions_max
        )
        self.sessions = FetchSessions(cache=self.cache)

    def open(
        self,
        partitions: range,
        *,
        session_id: int = 0,
        epoch: int = 0,
        forget: range = range(0),
        version: int = BY_NAME,
    ) -> SessionView:
        topic, topic_id = ("t", bytes(16)) if version < BY_ID else ("", b"i" * 16)
        wanted = [FetchPartition(partition=each, fetch_offset=each) for each in partitions]
        request = FetchRequest(session_id=session_id, session_epoch=epoch)
        if wanted:
            request.topics = [FetchTopic(topic=topic, topic_id=topic_id, partitions=wanted)]
        if forget:
            request.forgotten_topics_data = [
                ForgottenTopic(topic=topic, topic_id=topic_id, partitions=list(forget))
            ]
        return self.sessions.open(request, version)

    def start(self, partitions: range, *, version: int = BY_NAME) -> int:
        return answer(self.open(partitions, version=version)).session_id


def answer(view: SessionView, **records: bytes) -> FetchResponse:
    """Answer with log ends of 10, and records for the partitions named ``p0``, ``p1``."""
    results = [
        PartitionData(
            partition_index=each.index,
            high_watermark=10,
            last_stable_offset=10,
            log_start_offset=0,
            records=records.get(f"p{each.index}", b""),
        )
        for each in view.wanted
    ]
    return view.respond(results)


def indexes(response: FetchResponse) -> list[int]:
    return [result.partition_index for topic in response.responses for result in topic.partitions]


def code(error: pytest.ExceptionInfo[SessionRefusedError]) -> ErrorCode:
    return error.value.code


def test_a_full_request_is_answered_in_full_and_gets_a_session() -> None:
    desk = Desk()
    response = answer(desk.open(range(3)))
    assert indexes(response) == [0, 1, 2]
    assert response.session_id > 0
    assert (len(desk.cache), desk.cache.partition_count) == (1, 3)


def test_a_final_request_gets_no_session_and_closes_the_one_it_names() -> None:
    desk = Desk()
    session_id = desk.start(range(3))
    response = answer(desk.open(range(2), session_id=session_id, epoch=-1))
    assert (indexes(response), response.session_id) == ([0, 1], 0)
    assert (len(desk.cache), desk.cache.partition_count) == (0, 0)


def test_a_full_request_with_a_session_replaces_it() -> None:
    desk = Desk()
    session_id = desk.start(range(3))
    response = answer(desk.open(range(2), session_id=session_id))
    assert response.session_id not in (0, session_id)
    assert desk.cache.get(session_id) is None


def test_an_incremental_answer_holds_only_what_is_new() -> None:
    desk = Desk()
    session_id = desk.start(range(3))
    view = desk.open(range(0), session_id=session_id, epoch=1)
    assert len(view.wanted) == 3
    response = answer(view, p1=b"records")
    assert (indexes(response), response.session_id) == ([1], session_id)
    assert indexes(answer(desk.open(range(0), session_id=session_id, epoch=2))) == []


@pytest.mark.parametrize("field", ["high_watermark", "last_stable_offset", "log_start_offset"])
def test_a_changed_offset_is_news_once(field: str) -> None:
    desk = Desk()
    session_id = desk.start(range(2))

    def ask(epoch: int) -> list[int]:
        view = desk.open(range(0), session_id=session_id, epoch=epoch)
        results = [
            PartitionData(
                partition_index=each.index,
                high_watermark=10,
                last_stable_offset=10,
                log_start_offset=0,
            )
            for each in view.wanted
        ]
        setattr(results[1], field, 5)
        return indexes(view.respond(results))

    assert [ask(1), ask(2)] == [[1], []]


@pytest.mark.parametrize(
    "trouble",
    [{"error_code": 3}, {"diverging_epoch": EpochEndOffset(epoch=1, end_offset=2)}],
    ids=["error", "divergence"],
)
def test_trouble_is_always_told_and_so_is_its_end(trouble: dict[str, object]) -> None:
    desk = Desk()
    session_id = desk.start(range(1))
    for epoch in (1, 2):
        view = desk.open(range(0), session_id=session_id, epoch=epoch)
        bad = PartitionData(partition_index=0, high_watermark=10, last_stable_offset=10)
        for name, value in trouble.items():
            setattr(bad, name, value)
        assert indexes(view.respond([bad])) == [0]
    assert indexes(answer(desk.open(range(0), session_id=session_id, epoch=3))) == [0]
    assert indexes(answer(desk.open(range(0), session_id=session_id, epoch=4))) == []


def test_who_got_something_is_served_after_the_others() -> None:
    desk = Desk()
    session_id = desk.start(range(4))
    answer(desk.open(range(0), session_id=session_id, epoch=1), p0=b"x", p2=b"x")
    view = desk.open(range(0), session_id=session_id, epoch=2)
    assert [each.index for each in view.wanted] == [1, 3, 0, 2]


def test_what_fails_is_served_after_the_others() -> None:
    desk = Desk()
    session_id = desk.start(range(3))
    view = desk.open(range(0), session_id=session_id, epoch=1)
    view.respond(
        [
            PartitionData(partition_index=each.index, error_code=0 if each.index else 56)
            for each in view.wanted
        ]
    )
    view = desk.open(range(0), session_id=session_id, epoch=2)
    assert [each.index for each in view.wanted] == [1, 2, 0]


def test_partitions_are_added_moved_and_forgotten() -> None:
    desk = Desk()
    session_id = desk.start(range(2))
    view = desk.open(range(1, 4), session_id=session_id, epoch=1, forget=range(1))
    assert [(each.index, each.offset) for each in view.wanted] == [(1, 1), (2, 2), (3, 3)]
    assert desk.cache.partition_count == 3


def test_what_one_request_finds_does_not_show_in_the_next() -> None:
    desk = Desk()
    session_id = desk.start(range(1))
    first = desk.open(range(0), session_id=session_id, epoch=1)
    first.wanted[0].slow = True
    answer(first)
    second = desk.open(range(0), session_id=session_id, epoch=2)
    assert not second.wanted[0].slow


def test_an_empty_session_is_dropped() -> None:
    desk = Desk()
    session_id = desk.start(range(2))
    view = desk.open(range(0), session_id=session_id, epoch=1, forget=range(2))
    response = answer(view)
    assert (response.session_id, response.responses) == (0, [])
    assert (len(desk.cache), desk.cache.partition_count) == (0, 0)


def test_a_request_for_nothing_gets_no_session() -> None:
    assert answer(Desk().open(range(0))).session_id == 0


def test_an_unknown_session_is_refused() -> None:
    with pytest.raises(SessionRefusedError) as error:
        Desk().open(range(1), session_id=5, epoch=1)
    assert code(error) is ErrorCode.FETCH_SESSION_ID_NOT_FOUND


def test_a_wrong_epoch_is_refused_and_changes_nothing() -> None:
    desk = Desk()
    session_id = desk.start(range(1))
    with pytest.raises(SessionRefusedError) as error:
        desk.open(range(5), session_id=session_id, epoch=2)
    assert code(error) is ErrorCode.INVALID_FETCH_SESSION_EPOCH
    assert len(desk.open(range(0), session_id=session_id, epoch=1).wanted) == 1


@pytest.mark.parametrize(("first", "then"), [(BY_NAME, BY_ID), (BY_ID, BY_NAME)])
def test_a_session_does_not_change_between_names_and_ids(first: int, then: int) -> None:
    desk = Desk()
    session_id = desk.start(range(1), version=first)
    with pytest.raises(SessionRefusedError) as error:
        desk.open(range(0), session_id=session_id, epoch=1, version=then)
    assert code(error) is ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR


def test_an_answer_that_was_overtaken_is_refused() -> None:
    desk = Desk()
    session_id = desk.start(range(1))
    slow = desk.open(range(0), session_id=session_id, epoch=1)
    desk.open(range(0), session_id=session_id, epoch=2)
    assert answer(slow).error_code == ErrorCode.INVALID_FETCH_SESSION_EPOCH


def test_epochs_wrap_past_zero() -> None:
    assert (next_epoch(1), next_epoch(EPOCH_MAX)) == (2, 1)
    desk = Desk()
    session_id = desk.start(range(1))
    session = desk.cache.get(session_id)
    assert session is not None
    session.epoch = EPOCH_MAX
    answer(desk.open(range(0), session_id=session_id, epoch=EPOCH_MAX))
    assert answer(desk.open(range(0), session_id=session_id, epoch=1)).error_code == 0


def test_a_new_session_pushes_out_only_one_that_was_long_unused() -> None:
    desk = Desk(slots=2)
    old, busy = desk.start(range(1)), desk.start(range(1))
    assert desk.start(range(1)) == 0
    desk.clock.advance(int(UNUSED_SECONDS_MIN * 1000))
    answer(desk.open(range(0), session_id=busy, epoch=1))
    assert desk.start(range(1)) > 0
    assert desk.cache.get(old) is None
    assert desk.cache.get(busy) is not None
    assert desk.start(range(1)) == 0


def test_partitions_of_all_sessions_are_bounded() -> None:
    desk = Desk(partitions_max=10)
    assert desk.start(range(8)) > 0
    assert desk.start(range(3)) == 0
    assert desk.start(range(2)) > 0


def test_a_session_that_outgrows_the_bounds_is_forgotten() -> None:
    desk = Desk(partitions_max=10)
    session_id = desk.start(range(5))
    with pytest.raises(SessionRefusedError) as error:
        desk.open(range(20), session_id=session_id, epoch=1)
    assert code(error) is ErrorCode.FETCH_SESSION_ID_NOT_FOUND
    assert (len(desk.cache), desk.cache.partition_count) == (0, 0)
    assert desk.start(range(PARTITIONS_PER_SESSION_MAX + 1)) == 0


def test_no_slots_mean_no_sessions() -> None:
    assert Desk(slots=0).start(range(1)) == 0


def test_a_partition_that_is_named_twice_is_read_once() -> None:
    desk = Desk()
    twice = [FetchPartition(partition=0, fetch_offset=each) for each in (3, 7)]
    request = FetchRequest(topics=[FetchTopic(topic="t", partitions=twice)], session_epoch=-1)
    (wanted,) = desk.sessions.open(request, BY_NAME).wanted
    assert wanted.offset == 7
