"""Everything that is looked for in a history."""

from collections.abc import Callable, Iterator

from tests.history.anomalies import Anomaly
from tests.history.groups import committed_unread, shared_partitions, wrong_resumptions
from tests.history.operations import History
from tests.history.orders import (
    bounds_going_back,
    polls_out_of_order,
    readers_out_of_range,
    reordered_in_real_time,
    sends_out_of_order,
    sequences_out_of_order,
)
from tests.history.records_seen import (
    Logs,
    conflicts,
    duplicates,
    epochs_going_back,
    missing,
    seen_logs,
    strangers,
    vanished,
)
from tests.history.replicas import diverging_replicas, gaps_in_replicas

Checker = Callable[[History, Logs], Iterator[Anomaly]]

CHECKERS: tuple[Checker, ...] = (
    conflicts,
    duplicates,
    missing,
    vanished,
    strangers,
    epochs_going_back,
    polls_out_of_order,
    readers_out_of_range,
    sends_out_of_order,
    sequences_out_of_order,
    reordered_in_real_time,
    bounds_going_back,
    shared_partitions,
    committed_unread,
    wrong_resumptions,
    diverging_replicas,
    gaps_in_replicas,
)


def anomalies(history: History) -> list[Anomaly]:
    """Return everything that no correct log could have answered."""
    logs = seen_logs(history)
    return [each for checker in CHECKERS for each in checker(history, logs)]
