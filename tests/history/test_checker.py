"""Each checker sees what was planted for it, and none sees anything where nothing is wrong."""

import time
from array import array
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.history.anomalies import Anomaly, Kind
from tests.history.checker import CHECKERS, anomalies
from tests.history.made_history import (
    BATCH_RECORDS,
    PARTITION,
    assigned,
    bounds,
    changed_poll,
    changed_send,
    clean_history,
    commit,
    poll,
    resumed,
)
from tests.history.operations import DAMAGED, History, Outcome, OutOfRange, Partition, StoredBatch

RECORDS = 300


def _was_taken_twice(history: History) -> None:
    batches = history.batches[PARTITION]
    batches[RECORDS] = batches[RECORDS - BATCH_RECORDS]


def _was_left_out(history: History) -> None:
    del history.batches[PARTITION][BATCH_RECORDS]


def _is_lost(history: History) -> None:
    changed_poll(history, lambda records: records.pop(7))


def _is_unseen(history: History) -> None:
    changed_poll(history, lambda records: records.pop())


def _is_twice(history: History) -> None:
    changed_poll(history, lambda records: records.append((RECORDS, 7)))


def _is_elsewhere_than_promised(history: History) -> None:
    changed_send(history, RECORDS - 1, lambda send: replace(send, offset=RECORDS + 7))


def _differs_by_its_reader(history: History) -> None:
    changed_poll(history, lambda records: records.__setitem__(7, (7, 9999)), process="last")


def _differs_by_its_acknowledgement(history: History) -> None:
    changed_send(history, 7, lambda send: replace(send, offset=8))


def _is_of_two_epochs(history: History) -> None:
    changed = replace(history.polls[0], epochs=array("q", [5] * RECORDS))
    history.polls[0] = changed


def _goes_back_in_epochs(history: History) -> None:
    for number, each in enumerate(history.polls):
        history.polls[number] = replace(each, epochs=each.epochs[::-1])


def _vanished(history: History) -> None:
    changed_poll(history, lambda records: records.pop(7), process="last")


def _came_from_nobody(history: History) -> None:
    changed_poll(history, lambda records: records.append((RECORDS, 9999)))


def _is_damaged(history: History) -> None:
    changed_poll(history, lambda records: records.append((RECORDS, DAMAGED)))


def _had_failed(history: History) -> None:
    failed = lambda send: replace(send, outcome=Outcome.FAILED, offset=None)  # noqa: E731
    changed_send(history, 7, failed)


def _was_skipped(history: History) -> None:
    changed_poll(history, lambda records: records.pop(7), process="reader")


def _came_backwards(history: History) -> None:
    changed_poll(history, lambda records: records.reverse(), process="reader")


def _came_again_in_the_next_poll(history: History) -> None:
    history.polls.append(poll([(RECORDS - 1, RECORDS - 1)]))


def _was_told_that_it_is_nowhere(history: History) -> None:
    told = OutOfRange(process="reader", partition=PARTITION, what="offset 7 is out of range")
    history.out_of_range.append(told)


def _was_sent_in_another_order(history: History) -> None:
    # The producer's next one was sent before this one was acknowledged.
    for value, offset in ((4, 8), (8, 4)):
        changed_send(history, value, lambda send, at=offset: replace(send, offset=at, invoked=3.0))
    swapped = lambda records: records.__setitem__(slice(4, 9), [  # noqa: E731
        (4, 8), *records[5:8], (8, 4)
    ])  # fmt: skip
    changed_poll(history, swapped)


def _was_placed_before_an_earlier_one(history: History) -> None:
    changed_send(history, 5, lambda send: replace(send, offset=6, completed=5.1))
    changed_send(history, 6, lambda send: replace(send, offset=5))
    changed_poll(history, lambda records: records.__setitem__(slice(5, 7), [(5, 6), (6, 5)]))


def _has_a_lower_end(history: History) -> None:
    history.bounds.append(bounds(0, RECORDS - 1, 2))


def _begins_earlier(history: History) -> None:
    history.bounds += [bounds(7, RECORDS, 2), bounds(6, RECORDS, 2)]


def _is_led_in_an_earlier_term(history: History) -> None:
    history.bounds.append(bounds(0, RECORDS, 1))


def _has_two_owners(history: History) -> None:
    history.assigned.append(assigned("member-3", 2))


def _was_committed_unread(history: History) -> None:
    changed_poll(history, lambda records: records.pop(7), process="member-1")


def _has_forgotten_a_commit(history: History) -> None:
    history.resumed.append(resumed(RECORDS // 2, 4.0))


def _has_forgotten_all_commits(history: History) -> None:
    history.resumed.append(resumed(None, 4.0))


def _goes_on_where_nobody_was(history: History) -> None:
    history.resumed.append(resumed(RECORDS + 7, 4.0))


def _has_other_bytes(history: History) -> None:
    one = history.replicas[1]
    batches = (*one.batches[:3], StoredBatch(30, 39, b"other"), *one.batches[4:])
    history.replicas[1] = replace(one, batches=batches)


def _lacks_a_batch(history: History) -> None:
    one = history.replicas[1]
    history.replicas[1] = replace(one, batches=(*one.batches[:3], *one.batches[4:]))


PLANTED: list[tuple[Callable[[History], None], Kind]] = [
    (_was_taken_twice, Kind.REPEATED_SEQUENCE),
    (_was_left_out, Kind.REPEATED_SEQUENCE),
    (_is_lost, Kind.LOST_WRITE),
    (_is_unseen, Kind.UNSEEN),
    (_is_twice, Kind.DUPLICATE),
    (_is_elsewhere_than_promised, Kind.DUPLICATE),
    (_differs_by_its_reader, Kind.INCONSISTENT_OFFSETS),
    (_differs_by_its_acknowledgement, Kind.INCONSISTENT_OFFSETS),
    (_is_of_two_epochs, Kind.INCONSISTENT_OFFSETS),
    (_goes_back_in_epochs, Kind.LEADER_EPOCH_REGRESS),
    (_vanished, Kind.VANISHED),
    (_came_from_nobody, Kind.PHANTOM),
    (_is_damaged, Kind.PHANTOM),
    (_had_failed, Kind.FAILED_READ),
    (_was_skipped, Kind.POLL_SKIP),
    (_came_backwards, Kind.NONMONOTONIC_POLL),
    (_came_again_in_the_next_poll, Kind.NONMONOTONIC_POLL),
    (_was_told_that_it_is_nowhere, Kind.OUT_OF_RANGE),
    (_was_sent_in_another_order, Kind.NONMONOTONIC_SEND),
    (_was_placed_before_an_earlier_one, Kind.REALTIME_REORDER),
    (_has_a_lower_end, Kind.HIGH_WATERMARK_REGRESS),
    (_begins_earlier, Kind.LOG_START_REGRESS),
    (_is_led_in_an_earlier_term, Kind.LEADER_EPOCH_REGRESS),
    (_has_two_owners, Kind.TWO_OWNERS),
    (_was_committed_unread, Kind.COMMITTED_UNREAD),
    (_has_forgotten_a_commit, Kind.COMMIT_LOST),
    (_has_forgotten_all_commits, Kind.COMMIT_LOST),
    (_goes_on_where_nobody_was, Kind.COMMIT_PHANTOM),
    (_has_other_bytes, Kind.REPLICA_DIVERGENCE),
    (_lacks_a_batch, Kind.REPLICA_GAP),
]


@pytest.mark.parametrize(
    ("plant", "kind"), PLANTED, ids=[plant.__name__.strip("_") for plant, _ in PLANTED]
)
def test_what_is_planted_is_found(plant: Callable[[History], None], kind: Kind) -> None:
    history = clean_history(RECORDS)
    plant(history)
    assert kind in {each.kind for each in anomalies(history)}


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    assert anomalies(clean_history(RECORDS, partitions=3)) == []


def test_every_kind_that_a_history_can_show_is_planted() -> None:
    # What is in the bucket is looked at by the audit of the tiers.
    assert {kind for _, kind in PLANTED} == set(Kind) - {Kind.BUCKET}


def test_what_was_not_acknowledged_may_be_there_or_not() -> None:
    history = clean_history(RECORDS)
    for value in (7, RECORDS - 1):
        changed_send(
            history, value, lambda send: replace(send, outcome=Outcome.UNKNOWN, offset=None)
        )
    assert anomalies(history) == []
    changed_poll(history, lambda records: records.pop())
    history.commits.clear()
    history.resumed.clear()
    assert anomalies(history) == []


def test_producers_without_promises_may_lose_repeat_and_reorder() -> None:
    history = clean_history(RECORDS)
    history.sends[:] = [replace(each, is_promised=False) for each in history.sends]
    _is_unseen(history)
    changed_poll(history, lambda records: records.__setitem__(-1, (RECORDS - 2, 7)))
    history.commits.clear()
    history.resumed.clear()
    assert anomalies(history) == []


def test_a_producer_that_went_on_in_another_epoch_may_have_sent_again() -> None:
    history = clean_history(RECORDS)
    _is_twice(history)
    assert {each.kind for each in anomalies(history)} == {Kind.DUPLICATE}
    history.disturbed.add(history.sends[7].process)
    assert anomalies(history) == []


def test_readers_of_unpromised_records_are_given_the_same_all_the_same() -> None:
    history = clean_history(RECORDS)
    history.sends[:] = [replace(each, is_promised=False) for each in history.sends]
    _differs_by_its_reader(history)
    kinds = {each.kind for each in anomalies(history)}
    assert {Kind.INCONSISTENT_OFFSETS, Kind.PHANTOM, Kind.VANISHED} <= kinds


def test_a_reader_that_went_elsewhere_may_be_given_things_again() -> None:
    history = clean_history(RECORDS)
    history.polls.append(poll([(7, 7), (8, 8)], assignment=1))
    assert anomalies(history) == []


def test_a_commit_that_nobody_answered_may_count_and_may_not() -> None:
    history = clean_history(RECORDS)
    history.commits[1] = commit(RECORDS, 2.0, outcome=Outcome.UNKNOWN)
    history.resumed.append(resumed(RECORDS // 2, 4.0))
    assert anomalies(history) == []


def test_an_anomaly_says_what_and_where() -> None:
    told = str(Anomaly(Kind.POLL_SKIP, Partition("orders", 3), "7 is missing"))
    assert told == "poll-skip orders-3: 7 is missing"
    assert PARTITION.topic == "orders"


def test_half_a_million_records_are_checked_in_some_seconds() -> None:
    history = clean_history(500_000, partitions=12)
    begun = time.monotonic()
    assert anomalies(history) == []
    print(f"\n{len(CHECKERS)} checkers, 500,000 records: {time.monotonic() - begun:.1f} s")
