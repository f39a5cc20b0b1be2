"""A history in which nothing is wrong, to plant something in."""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import replace

from tests.history.operations import (
    Assigned,
    Bounds,
    Commit,
    History,
    Outcome,
    Partition,
    Poll,
    ReplicaLog,
    Resumed,
    Send,
    StoredBatch,
    Written,
)

PARTITION = Partition("orders", 0)
POLL_RECORDS = 500
BATCH_RECORDS = 10
RECORDS_AN_EPOCH = 100
GROUP = "readers"


def send(value: int, offset: int, partition: Partition = PARTITION, producers: int = 4) -> Send:
    return Send(
        process=f"producer-{value % producers}",
        partition=partition,
        value=value,
        is_promised=True,
        invoked=float(value),
        completed=value + 0.5,
        outcome=Outcome.OK,
        offset=offset,
    )


def poll(
    records: Sequence[tuple[int, int]],
    *,
    process: str = "reader",
    partition: Partition = PARTITION,
    assignment: int = 0,
    is_final: bool = False,
) -> Poll:
    """Return a poll of (offset, value) records."""
    return Poll(
        process=process,
        partition=partition,
        assignment=assignment,
        offsets=array("q", [offset for offset, _ in records]),
        values=array("q", [value for _, value in records]),
        epochs=array("q", [offset // RECORDS_AN_EPOCH for offset, _ in records]),
        is_final=is_final,
    )


def commit(offset: int, at: float, *, outcome: Outcome = Outcome.OK) -> Commit:
    return Commit(
        process="member-1",
        group=GROUP,
        partition=PARTITION,
        offset=offset,
        invoked=at,
        completed=at + 0.5,
        outcome=outcome,
    )


def resumed(offset: int | None, at: float) -> Resumed:
    return Resumed(
        process="member-2",
        group=GROUP,
        partition=PARTITION,
        offset=offset,
        invoked=at,
        completed=at + 0.5,
    )


def assigned(process: str, generation: int) -> Assigned:
    return Assigned(process=process, group=GROUP, generation=generation, partitions=(PARTITION,))


def bounds(log_start: int, high_watermark: int, leader_epoch: int) -> Bounds:
    return Bounds(
        process="prober",
        partition=PARTITION,
        log_start=log_start,
        high_watermark=high_watermark,
        leader_epoch=leader_epoch,
    )


def replica_log(broker: int, records: int) -> ReplicaLog:
    batches = tuple(
        StoredBatch(base, base + BATCH_RECORDS - 1, base.to_bytes(8, "big"))
        for base in range(0, records, BATCH_RECORDS)
    )
    return ReplicaLog(broker=broker, partition=PARTITION, high_watermark=records, batches=batches)


def clean_history(records: int, partitions: int = 1) -> History:
    """Return producers that send one record a second in turn, and readers that read it all."""
    history = History()
    for value in range(records):
        partition = Partition(PARTITION.topic, value % partitions)
        history.sends.append(send(value, value // partitions, partition))
    for number in range(partitions):
        partition = Partition(PARTITION.topic, number)
        log = [(value // partitions, value) for value in range(number, records, partitions)]
        for reader in ("reader", "member-1", "last"):
            history.polls += [
                poll(
                    log[start : start + POLL_RECORDS],
                    process=reader,
                    partition=partition,
                    is_final=reader == "last",
                )
                for start in range(0, len(log), POLL_RECORDS)
            ]
    end = records // partitions
    history.bounds += [bounds(0, end // 2, 1), bounds(0, end, 2)]
    history.assigned += [assigned("member-1", 1), assigned("member-2", 2)]
    history.commits += [commit(end // 2, 1.0), commit(end, 2.0)]
    history.resumed += [resumed(None, 0.0), resumed(end, 3.0)]
    history.batches[PARTITION] = {
        base: Written(1, 0, base, BATCH_RECORDS) for base in range(0, end, BATCH_RECORDS)
    }
    history.replicas += [replica_log(broker, end) for broker in (1, 2, 3)]
    return history


def changed_send(history: History, value: int, change: Callable[[Send], Send]) -> None:
    """Let the acknowledgement of a record be another one."""
    history.sends[value] = change(history.sends[value])


def changed_poll(
    history: History, change: Callable[[list[tuple[int, int]]], None], *, process: str = ""
) -> None:
    """Let readers, or one of them, have been given something else."""
    for number, each in enumerate(history.polls):
        if each.process.startswith(process):
            records = list(zip(each.offsets, each.values, strict=True))
            change(records)
            made = poll(records, process=each.process, is_final=each.is_final)
            history.polls[number] = replace(made, assignment=each.assignment)
