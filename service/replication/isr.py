"""Who is in sync: the rules of a leader, and the state that it proposes.

A leader alone changes the ISR within its term, one change at a time (`pending_isr`). Taking a
replica out is safe at any time; taking one in is what could lose data (REL-I4).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from everlog.model.ids import NodeId
from everlog.model.offsets import Offset
from service.model.cluster import PartitionState
from service.replication.progress import Progress

Followers = Mapping[NodeId, Progress]


def lagging(
    isr: Sequence[NodeId], followers: Followers, *, now: float, seconds_max: float
) -> tuple[NodeId, ...]:
    """Return the members that have been behind for too long; the leader is no follower."""
    return tuple(
        member
        for member in isr
        if member in followers and now - followers[member].caught_up_at > seconds_max
    )


def may_join(progress: Progress, *, high_watermark: Offset, term_start: Offset) -> bool:
    """Whether a follower has all that is committed, and all that was there when the term began.

    Without the second a leader whose high watermark lags behind could take in one that lacks what
    an earlier leader has acknowledged (KAFKA-7128).
    """
    return progress.durable_end >= max(high_watermark, term_start)


def is_joining(progress: Progress, *, term_start: Offset, now: float, seconds_max: float) -> bool:
    """Whether the high watermark waits for a follower that is about to join.

    Otherwise it would run ahead of a follower that is always just behind, and keep it out.
    """
    return progress.durable_end >= term_start and now - progress.caught_up_at <= seconds_max


def with_isr(state: PartitionState, isr: Collection[NodeId], *, isr_min: int) -> PartitionState:
    """Return the state with another ISR, in the order of the replicas.

    Whoever leaves an ISR that becomes smaller than its minimum stays eligible: as long as it is so
    small, nothing is committed that such a replica lacks (KIP-966).
    """
    members = tuple(each for each in state.replicas if each in isr)
    assert state.leader in members, "a leader is always in sync (REL-I5)"
    eligible: tuple[NodeId, ...] = ()
    if len(members) < isr_min:
        former = {*state.isr, *state.elr}
        eligible = tuple(r for r in state.replicas if r in former and r not in members)
    return replace(state, isr=members, elr=eligible, version=state.version + 1)
