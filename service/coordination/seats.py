"""Which seats a broker keeps at its start: those for which it can show that it has lost nothing.

A start goes in this order (`tests/model` shows what is lost otherwise):

1. The broker raises its epoch and removes its old node, so nobody takes it in any more for what it
   told before.
2. It reads the states, and stores those without the seats that it does not keep, each in a
   transaction that checks its new epoch and the state's version; where somebody was faster, it
   reads and decides again.
3. It registers, which makes it electable, and writes down by what its disk is proven from now on.
"""

from dataclasses import dataclass, replace

from everlog.model.ids import NodeId
from service.model.cluster import PartitionState


@dataclass(frozen=True, slots=True, kw_only=True)
class Remains:
    """What a broker finds of one of its partitions at its start.

    Everything is said of the registration before, which is the last one that was completed: a start
    that broke off on its way to one has shown nothing.

    Attributes:
        same_directory: Whether it had the data directory of that name.
        has_log: Whether the partition's directory is there, or that data directory never had one.
        reached_mark: Whether recovery has found everything below the synced mark.
        stopped_clean: Whether that registration ended with a clean stop.
        same_boot: Whether the operating system has run on since, and no sync has failed: all that
            was written is still there.
        always_synced: Whether the partition has had ``flush=always`` for all of that registration;
            when that was set on the way, what was told before it need not have been synced.
    """

    same_directory: bool
    has_log: bool
    reached_mark: bool
    stopped_clean: bool
    same_boot: bool
    always_synced: bool


def keeps_seat(remains: Remains, *, replicas: int) -> bool:
    """Whether a broker still has all that it told its leader to have (REL-I9).

    The only replica of a partition goes on with what there is: nobody else has more.
    """
    if not (remains.same_directory and remains.has_log and remains.reached_mark):
        return False
    is_proven = remains.stopped_clean or remains.same_boot or remains.always_synced
    return is_proven or replicas == 1


def without_seat(state: PartitionState, broker: NodeId) -> PartitionState | None:
    """Return the state in which a broker is neither in sync nor eligible; None if it is neither.

    When it was the last one nobody is in sync, and nobody can be elected. The term goes on, for its
    leader takes note of this as of a change of its own; if it was the broker's, it ends in the next
    election, since the registration that it was meant for is over.
    """
    if broker not in state.isr and broker not in state.elr:
        return None
    return replace(
        state,
        isr=tuple(each for each in state.isr if each != broker),
        elr=tuple(each for each in state.elr if each != broker),
        version=state.version + 1,
    )
