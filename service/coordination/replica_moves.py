"""How the replicas of a partition are reassigned: the states that it goes through (KIP-455).

The new replicas are added at once, and copy; when all of them are in sync, those that are to go
leave in one step, the leader too. Nothing is taken from the ISR but replicas that go, and never its
last member, so whatever was committed is on all who can lead.
"""

from collections.abc import Sequence
from dataclasses import replace

from everlog.model.ids import NodeId
from service.coordination.elections import ElectionRules, Electorate, decide, led_by
from service.coordination.image_delta import ImageDelta
from service.coordination.topic_errors import InvalidReplicaAssignmentError
from service.model.cluster import PartitionState


def begun(
    state: PartitionState,
    target: Sequence[NodeId],
    electorate: Electorate,
    rules: ElectionRules,
    *,
    controller_epoch: int,
) -> PartitionState | None:
    """Return the state in which other replicas are wanted; None if they are wanted already.

    What an earlier reassignment has added, and this one does not want, goes at once. Where nothing
    is to be copied, this completes it.

    Raises:
        InvalidReplicaAssignmentError: Nobody would be left who has all records.
    """
    wanted, before = tuple(target), state.original
    adding = tuple(each for each in wanted if each not in before)
    removing = tuple(each for each in before if each not in wanted)
    moving = replace(state, replicas=(*wanted, *removing), adding=adding, removing=removing)
    if moving == state:
        return None
    if may_complete(moving, electorate):
        moving = replace(moving, replicas=wanted, adding=(), removing=())
    return _narrowed(state, moving, electorate, rules, controller_epoch=controller_epoch)


def cancelled(
    state: PartitionState, electorate: Electorate, rules: ElectionRules, *, controller_epoch: int
) -> PartitionState:
    """Return the state in which the replicas are those from before the reassignment.

    Raises:
        InvalidReplicaAssignmentError: Nobody would be left who has all records.
    """
    back = replace(state, replicas=state.original, adding=(), removing=())
    return _narrowed(state, back, electorate, rules, controller_epoch=controller_epoch)


def completed(
    state: PartitionState, electorate: Electorate, rules: ElectionRules, *, controller_epoch: int
) -> PartitionState:
    """Return the state after a reassignment that `may_complete`."""
    done = replace(state, replicas=state.target, adding=(), removing=())
    return _narrowed(state, done, electorate, rules, controller_epoch=controller_epoch)


def may_complete(state: PartitionState, electorate: Electorate) -> bool:
    """Whether all that a reassignment wants are in sync, and one of them leads or can."""
    if not state.is_moving or not electorate.has_leader(state):
        return False
    target = state.target
    here = {*electorate.live, *electorate.draining}
    if not all(each in state.isr and each in here for each in target):
        return False
    return state.leader in target or any(each in electorate.live for each in target)


def decide_all(
    state: PartitionState, electorate: Electorate, rules: ElectionRules, *, controller_epoch: int
) -> PartitionState | None:
    """Return the state that should be stored by itself; None when nothing would be different."""
    decided = decide(state, electorate, rules, controller_epoch=controller_epoch)
    if decided is None and may_complete(state, electorate):
        return completed(state, electorate, rules, controller_epoch=controller_epoch)
    return decided


def has_moved(delta: ImageDelta) -> bool:
    """Whether a reassignment may be complete, as far as the ISR goes."""
    return any(
        update.after.is_moving and {*update.after.target} <= {*update.after.isr}
        for update in delta.partitions
    )


def _narrowed(
    before: PartitionState,
    wanted: PartitionState,
    electorate: Electorate,
    rules: ElectionRules,
    *,
    controller_epoch: int,
) -> PartitionState:
    """Return a state with the seats of its replicas alone, and a leader among them."""
    replicas = wanted.replicas
    after = replace(
        wanted,
        isr=tuple(each for each in replicas if each in before.isr),
        elr=tuple(each for each in replicas if each in before.elr),
    )
    if before.isr and not after.isr:
        raise InvalidReplicaAssignmentError(
            f"of the brokers {list(replicas)} none is in sync: wait until one is, or name one of "
            f"{list(before.isr)} as well"
        )
    if before.leader is None or before.leader in replicas:
        return replace(after, controller_epoch=controller_epoch, version=before.version + 1)
    leader = next((each for each in after.isr if each in electorate.live), None)
    if leader is None:
        raise InvalidReplicaAssignmentError(
            f"the leader, broker {before.leader}, would go, and of the brokers in sync none that "
            f"stays is running: start one of {list(after.isr)}"
        )
    return led_by(after, leader, electorate.live, rules, controller_epoch=controller_epoch)
