"""A broker gives up seats at its start, before it can be elected."""

from collections.abc import Sequence
from itertools import islice

from everlog.model.ids import NodeId, PartitionId
from service.coordination.changes import CHANGE_PARTITIONS_MAX, publish
from service.coordination.controller_term import MetadataConflictError, broker_checks
from service.coordination.image_reading import read_states
from service.coordination.metadata_store import MetadataStore, NodeError
from service.coordination.seats import without_seat
from service.coordination.topic_edits import new_state

ATTEMPTS_MAX = 20
"""How often states are read and decided on again; leaders write a few of them at a time."""


async def give_up_seats(
    store: MetadataStore, broker_id: NodeId, broker_epoch: int, lost: Sequence[PartitionId]
) -> int:
    """Take a broker out of the ISR and of the eligible of partitions; return how many it was in.

    Args:
        store: The tree.
        broker_id: Whose seats.
        broker_epoch: The one that it has raised its epoch to.
        lost: Of which partitions.

    Raises:
        MetadataConflictError: Others kept writing at the same time, or the broker's epoch has been
            raised by another start.
    """
    rest, given_up = iter(lost), 0
    while part := list(islice(rest, CHANGE_PARTITIONS_MAX)):
        given_up += await _give_up(store, broker_id, broker_epoch, part)
    return given_up


async def _give_up(
    store: MetadataStore, broker_id: NodeId, broker_epoch: int, lost: Sequence[PartitionId]
) -> int:
    for _ in range(ATTEMPTS_MAX):
        states = await read_states(store, lost)
        edits = [
            new_state(partition, rest)
            for partition, state in states.items()
            if (rest := without_seat(state, broker_id)) is not None
        ]
        if not edits:
            return 0
        try:
            await publish(store, checks=broker_checks({broker_id: broker_epoch}), edits=edits)
        except NodeError:
            continue
        return len(edits)
    raise MetadataConflictError("the states of partitions kept changing while seats were given up")
