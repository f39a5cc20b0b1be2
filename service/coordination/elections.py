"""Who leads a partition: the rule of the controller.

It needs the brokers that are registered now and the state that is stored, and nothing else;
whether the outcome holds is decided by the versions that are checked when it is written.
"""

from collections.abc import Mapping
from dataclasses import replace

from everlog.model.ids import NodeId
from everlog.model.offsets import LeaderEpoch
from service.model.cluster import PartitionState

BrokerEpochs = Mapping[NodeId, int]
"""The brokers that are registered now, and the epoch of each registration."""

NO_BROKER_EPOCH = -1
"""Of a partition without a leader."""


def needs_election(state: PartitionState, live: BrokerEpochs) -> bool:
    """Whether the stored term has nobody who may act in it.

    That is so without a leader, after the leader's death, and also when it is back: its
    registration is then another one, and a start is a new term.
    """
    return state.leader is None or live.get(state.leader) != state.leader_broker_epoch


def elect(
    state: PartitionState, live: BrokerEpochs, *, controller_epoch: int
) -> PartitionState | None:
    """Return the state with a new term; None when nothing would be any different.

    The leader is the first replica that is alive and in sync, or else eligible (KIP-966). In-sync
    replicas that are not alive leave the ISR. With nobody to lead the ISR stays as it was: its
    members alone have all records.
    """
    leader = _next_leader(state, live)
    if leader is None:
        if state.leader is None:
            return None
        isr = state.isr
    else:
        isr = tuple(r for r in state.isr if r in live) or (leader,)
    return replace(
        state,
        leader=leader,
        leader_epoch=LeaderEpoch(state.leader_epoch + 1),
        leader_broker_epoch=NO_BROKER_EPOCH if leader is None else live[leader],
        isr=isr,
        elr=tuple(r for r in state.elr if r not in isr),
        controller_epoch=controller_epoch,
        version=state.version + 1,
    )


def first_term(
    replicas: tuple[NodeId, ...], live: BrokerEpochs, *, controller_epoch: int
) -> PartitionState:
    """Return the state of a new partition: replicas that are alive are in sync, having nothing."""
    isr = tuple(r for r in replicas if r in live) or replicas
    leader = isr[0] if isr[0] in live else None
    return PartitionState(
        replicas=replicas,
        leader=leader,
        leader_epoch=LeaderEpoch(0),
        leader_broker_epoch=NO_BROKER_EPOCH if leader is None else live[leader],
        isr=isr,
        controller_epoch=controller_epoch,
        version=0,
    )


def _next_leader(state: PartitionState, live: BrokerEpochs) -> NodeId | None:
    candidates = (r for seats in (state.isr, state.elr) for r in state.replicas if r in seats)
    return next((candidate for candidate in candidates if candidate in live), None)
