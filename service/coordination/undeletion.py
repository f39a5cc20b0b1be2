"""What a request to bring a deleted topic back comes to: checked, in new terms, not yet written."""

from dataclasses import replace

from everlog.model.ids import TopicId, id_text
from everlog.model.offsets import LeaderEpoch
from service.coordination.deleted_topics import Remains
from service.coordination.elections import first_term
from service.coordination.topic_cloning import CLONE_FROM
from service.coordination.topic_errors import (
    InvalidPartitionsError,
    InvalidReplicationFactorError,
    InvalidTopicRequestError,
    NothingToUndeleteError,
    UndeleteRefusedError,
)
from service.coordination.topic_plan import NewTopic, Placement
from service.model.cluster import PartitionState, TopicImage


def plan_undeletion(
    new: NewTopic, topic_id: TopicId, remains: Remains | None, *, placement: Placement
) -> TopicImage:
    """Work out the topic that comes back; its name and config are checked elsewhere.

    It has the id, the partitions and the replicas that it had. Each partition begins a term above
    all that it has had, so that whoever led it is fenced, also from its tier.

    Raises:
        NothingToUndeleteError: No deleted topic has that id.
        UndeleteRefusedError: It cannot come back any more.
        InvalidTopicRequestError: Replicas are assigned, which it has already, or it is cloned, too.
        InvalidPartitionsError: It had another number of partitions.
        InvalidReplicationFactorError: It had another number of replicas.
    """
    if remains is None:
        raise NothingToUndeleteError(topic_id)
    _check_remains(remains)
    before = [remains.states[number] for number in range(remains.proof.partitions)]
    _check_wish(new, before)
    assert remains.proof.revision is not None, "who is not swept tells its revision"
    return TopicImage(
        name=new.name,
        topic_id=topic_id,
        config={**remains.proof.config, **new.config},
        partitions=tuple(_next_term(state, placement) for state in before),
        version=0,
        versions_before=remains.proof.revision + 1,
        extra=remains.proof.extra,
    )


def _check_remains(remains: Remains) -> None:
    proof = remains.proof
    named = f"deleted topic {proof.name!r} ({id_text(proof.topic_id)})"
    if proof.is_sweeping:
        raise UndeleteRefusedError(
            f"{named} cannot come back: its time is over, and its objects are being removed"
        )
    if not remains.has_archive:
        raise UndeleteRefusedError(
            f"{named} has nothing in the archive that could come back: create a new topic"
        )
    if len(remains.states) != proof.partitions:
        raise UndeleteRefusedError(
            f"{named} cannot come back: the states of some of its {proof.partitions} partitions "
            "are gone"
        )


def _check_wish(new: NewTopic, before: list[PartitionState]) -> None:
    if CLONE_FROM in new.config:
        raise InvalidTopicRequestError(
            f"a topic comes back, or is a clone, not both: leave {CLONE_FROM} out"
        )
    if new.assignment is not None:
        raise InvalidTopicRequestError(
            "a topic comes back on the brokers that had it: leave the replica assignment out"
        )
    if new.partitions not in (None, len(before)):
        raise InvalidPartitionsError(
            f"the topic had {len(before)} partitions: ask for as many, or for -1"
        )
    factor = len(before[0].target)
    if new.replication_factor not in (None, factor):
        raise InvalidReplicationFactorError(
            f"the topic had a replication factor of {factor}: ask for the same, or for -1"
        )


def _next_term(state: PartitionState, placement: Placement) -> PartitionState:
    # Their local logs went with the topic: all of them are in sync, having nothing.
    begun = first_term(state.target, placement.live, controller_epoch=placement.controller_epoch)
    return replace(
        begun,
        leader_epoch=LeaderEpoch(state.leader_epoch + 1),
        version=state.version + 1,
        extra=state.extra,
    )
