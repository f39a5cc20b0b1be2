"""Who leads a partition and who is in sync when brokers come and go: the rules of the controller.

They need the brokers that are registered now and the state that is stored, and nothing else;
whether the outcome holds is decided by the versions that are checked when it is written.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from everlog.model.ids import NodeId
from everlog.model.offsets import LeaderEpoch
from service.model.cluster import Broker, PartitionState

BrokerEpochs = Mapping[NodeId, int]
"""Brokers that are registered now, and the epoch of each registration."""

NOBODY: BrokerEpochs = MappingProxyType({})

NO_BROKER_EPOCH = -1
"""Of a partition without a leader."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Electorate:
    """The brokers that are registered.

    Attributes:
        live: Those that may be elected.
        draining: Those that are about to stop: they lead on where nobody else can.
    """

    live: BrokerEpochs
    draining: BrokerEpochs = field(default_factory=lambda: NOBODY)

    @classmethod
    def of(cls, brokers: Iterable[Broker]) -> "Electorate":
        """Divide brokers into the two."""
        known = list(brokers)
        return cls(
            live={each.id: each.epoch for each in known if not each.draining},
            draining={each.id: each.epoch for each in known if each.draining},
        )

    def has_leader(self, state: PartitionState) -> bool:
        """Whether somebody may act in the stored term, if only until another one can."""
        leader = state.leader
        if leader is None:
            return False
        return state.leader_broker_epoch in {self.live.get(leader), self.draining.get(leader)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectionRules:
    """What a topic says of elections.

    Attributes:
        isr_min: ``min.insync.replicas``; with fewer members of its ISR nothing of a partition is
            committed, unless it has no more replicas.
        unclean: Whether a replica that was not in sync may lead when no other is left.
    """

    isr_min: int = 1
    unclean: bool = False


STRICT = ElectionRules()
"""Of a topic whose settings nobody has looked at."""


def needs_election(
    state: PartitionState, live: BrokerEpochs, draining: BrokerEpochs = NOBODY
) -> bool:
    """Whether the stored term has nobody who may act in it, or somebody who wants to stop.

    That is so without a leader, after the leader's death, and also when it is back: its
    registration is then another one, and a start is a new term. A leader that drains stays while
    nobody else in sync is alive.
    """
    if state.leader is not None and draining.get(state.leader) == state.leader_broker_epoch:
        return any(each in live for each in state.isr)
    return state.leader is None or live.get(state.leader) != state.leader_broker_epoch


def is_settled(state: PartitionState, electorate: Electorate) -> bool:
    """Whether `decide` has nothing to change, as far as that can be told without its rules."""
    live = electorate.live
    if needs_election(state, live, electorate.draining):
        return False
    # All partitions are looked at when a broker comes or goes: a loop takes half of the time.
    for each in state.isr:  # noqa: SIM110
        if each not in live and each != state.leader:
            return False
    return True


def decide(
    state: PartitionState, electorate: Electorate, rules: ElectionRules, *, controller_epoch: int
) -> PartitionState | None:
    """Return the state that should be stored; None when nothing would be any different."""
    live, draining = electorate.live, electorate.draining
    if needs_election(state, live, draining):
        return elect(state, live, rules, controller_epoch=controller_epoch)
    return without_absent(state, live, isr_min=rules.isr_min, controller_epoch=controller_epoch)


def elect(
    state: PartitionState,
    live: BrokerEpochs,
    rules: ElectionRules = STRICT,
    *,
    controller_epoch: int,
) -> PartitionState | None:
    """Return the state with a new term; None when nothing would be any different.

    The leader is the first replica that is alive and in sync, or else eligible (KIP-966). In-sync
    replicas that are not alive leave the ISR. With nobody to lead the ISR stays as it was: its
    members alone have all records. Only where the topic allows it the first replica leads that is
    alive, and what it lacks is lost.
    """
    leader = _next_leader(state, live)
    if leader is None and rules.unclean:
        leader = next((each for each in state.replicas if each in live), None)
    if leader is not None:
        return led_by(state, leader, live, rules, controller_epoch=controller_epoch)
    if state.leader is None:
        return None
    return replace(
        state,
        leader=None,
        leader_epoch=LeaderEpoch(state.leader_epoch + 1),
        leader_broker_epoch=NO_BROKER_EPOCH,
        elr=tuple(r for r in state.elr if r not in state.isr),
        controller_epoch=controller_epoch,
        version=state.version + 1,
    )


def without_absent(
    state: PartitionState, live: BrokerEpochs, *, isr_min: int, controller_epoch: int
) -> PartitionState | None:
    """Return the state in which who is not alive is not in sync; None if nobody is to leave.

    The term goes on: its leader takes note of this as of a change of its own. It does not have to
    wait for what cannot be copied any more, or soon will not be.
    """
    isr = tuple(r for r in state.isr if r == state.leader or r in live)
    if isr == state.isr or state.leader not in isr:
        return None
    return replace(
        state,
        isr=isr,
        elr=_eligible(state, isr, isr_min),
        controller_epoch=controller_epoch,
        version=state.version + 1,
    )


def led_by(
    state: PartitionState,
    leader: NodeId,
    live: BrokerEpochs,
    rules: ElectionRules,
    *,
    controller_epoch: int,
) -> PartitionState:
    """Return the state with a new term of a replica that is alive."""
    term = LeaderEpoch(state.leader_epoch + 1)
    isr = tuple(r for r in state.isr if r in live) or (leader,)
    is_clean = leader in {*state.isr, *state.elr}
    return replace(
        state,
        leader=leader,
        leader_epoch=term,
        leader_broker_epoch=live[leader],
        isr=isr,
        # Those who would be eligible have what such a leader lacks, and lose it.
        elr=_eligible(state, isr, rules.isr_min) if is_clean else (),
        controller_epoch=controller_epoch,
        unclean_epoch=state.unclean_epoch if is_clean else term,
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


def is_unclean(before: PartitionState, after: PartitionState) -> bool:
    """Whether a new term has a leader that may lack what is committed."""
    return after.unclean_epoch != before.unclean_epoch


def _eligible(state: PartitionState, isr: tuple[NodeId, ...], isr_min: int) -> tuple[NodeId, ...]:
    """Return who can be elected besides a smaller ISR: all that could before, below its minimum.

    Nothing is committed then that they lack, and a leader that goes by another minimum waits for
    them too before it commits anything (KIP-966).
    """
    if len(isr) >= min(isr_min, len(state.original)):
        return ()
    return tuple(r for r in state.replicas if r in {*state.isr, *state.elr} and r not in isr)


def _next_leader(state: PartitionState, live: BrokerEpochs) -> NodeId | None:
    candidates = (r for seats in (state.isr, state.elr) for r in state.replicas if r in seats)
    return next((candidate for candidate in candidates if candidate in live), None)
