"""The rules that the model goes by: the product's own, or a broken one in place of one of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace

from everlog.model.ids import NodeId
from everlog.model.offsets import Offset
from service.coordination.controller_term import broker_checks
from service.coordination.elections import decide
from service.coordination.seats import keeps_seat
from service.coordination.znodes import broker_epoch_path
from service.model.cluster import PartitionState
from service.partition.errors import StaleLeaderEpochError, UnknownLeaderEpochError
from service.partition.readable import check_leader_epoch
from service.replication.divergence import truncation_point
from service.replication.leader import LeaderReplicas
from tests.model.leading import Replicas
from tests.model.values import Log, Stored, epochs_of


def is_in_term(leaders: int, asked: int) -> bool:
    """Whether a leader answers a fetch of that term."""
    partition = SimpleNamespace(topic="t", index=0, leader_epoch=leaders)
    try:
        check_leader_epoch(partition, asked)  # type: ignore[arg-type]
    except (StaleLeaderEpochError, UnknownLeaderEpochError):
        return False
    return True


def cut(log: Log, told: tuple[int, int], heard: int) -> int:
    """Return where a follower cuts its log, which has heard of that high watermark."""
    del heard
    return truncation_point(
        *told,
        end_of=lambda epoch: epochs_of(log).end_of(epoch, log_end=len(log)),
        log_start=Offset(0),
        log_end=Offset(len(log)),
    )


def registrations_hold(joiners: Mapping[NodeId, int], epochs: tuple[int, ...]) -> bool:
    """Whether ZooKeeper finds that the checks of a transaction hold."""
    found = {broker_epoch_path(NodeId(broker)): epoch for broker, epoch in enumerate(epochs)}
    return all(found[check.path] == check.version for check in broker_checks(joiners))


def may_replace(stored: Stored, new: Stored) -> bool:
    """Whether ZooKeeper finds the version that the write of a state expects, at that path."""
    return (stored.topic, stored.version + 1) == (new.topic, new.version)


def is_same_topic(leaders: int, asked: int) -> bool:
    """Whether a fetch finds the log of its own topic: it asks by id."""
    return leaders == asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the brokers, the controller and ZooKeeper do.

    Attributes:
        hears_high_watermark: Whether followers keep what they are told of it; no rule asks.
        raises_epoch_first: Whether a start ends the registration before, before it looks at seats.
        proof_lasts: Whether a start that breaks off leaves all that has happened to the disk known.
    """

    replicas: Replicas = LeaderReplicas
    decide: Callable[..., PartitionState | None] = decide
    leads: Callable[[PartitionState, NodeId, int], bool] = PartitionState.is_led_by
    is_in_term: Callable[[int, int], bool] = is_in_term
    is_same_topic: Callable[[int, int], bool] = is_same_topic
    cut: Callable[[Log, tuple[int, int], int], int] = cut
    hears_high_watermark: bool = False
    may_replace: Callable[[Stored, Stored], bool] = may_replace
    registrations_hold: Callable[[Mapping[NodeId, int], tuple[int, ...]], bool] = registrations_hold
    keeps_seat: Callable[..., bool] = keeps_seat
    raises_epoch_first: bool = True
    proof_lasts: bool = True


REAL = Rules()
