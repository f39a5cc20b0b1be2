"""Up to where a partition is committed: no elected successor can lack it."""

from collections.abc import Collection, Mapping

from everlog.model.ids import NodeId
from everlog.model.offsets import Offset
from service.replication.progress import NOWHERE


def high_watermark(
    current: Offset,
    durable_ends: Mapping[NodeId, Offset],
    *,
    isr: Collection[NodeId],
    pending_isr: Collection[NodeId] = (),
    joining: Collection[NodeId] = (),
    eligible: Collection[NodeId] = (),
    isr_min: int,
) -> Offset:
    """Return the end of what every replica has that can become the leader.

    Counted are the members of the ISR that is stored and of the one that is being proposed: nobody
    knows yet which of them a controller would elect from (REL-I1).

    Args:
        current: As it was; it never goes back within a term.
        durable_ends: Of each replica, the leader included.
        isr: As it is stored, as far as the leader knows.
        pending_isr: As it was proposed, while the outcome is unknown.
        joining: Followers that are about to be proposed; see `isr.is_joining`.
        eligible: Replicas that can be elected though they are not in sync: they make a difference
            when the minimum was lowered, until a state is stored that names them no more.
        isr_min: With fewer members nothing is committed (KAFKA-15583).
    """
    if len(isr) < isr_min:
        return current
    members = {*isr, *pending_isr, *joining, *eligible}
    return max(current, min(durable_ends.get(member, NOWHERE) for member in members))
