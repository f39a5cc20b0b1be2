"""How a leader changes the ISR of its partition: in one transaction, without the controller."""

from collections.abc import Mapping
from dataclasses import dataclass

from everlog.model.ids import NodeId, PartitionId
from service.coordination.changes import publish
from service.coordination.controller_term import broker_checks
from service.coordination.image_reading import read_states
from service.coordination.metadata_store import MetadataStore, NodeError
from service.coordination.topic_edits import new_state
from service.model.cluster import Broker, PartitionState


@dataclass(frozen=True, slots=True, kw_only=True)
class IsrChange:
    """What a leader wants to be stored.

    Attributes:
        state: The whole state, one version above the stored one.
        joiners: Whom it takes in, and the registrations with which they have fetched.
    """

    partition: PartitionId
    state: PartitionState
    joiners: Mapping[NodeId, int]


class IsrChanges:
    """Writes them, as one registration of one broker.

    Attributes:
        broker: The registration as it is now: a broker that drains leads on for a while.
    """

    def __init__(self, *, store: MetadataStore, broker: Broker) -> None:
        self._store = store
        self.broker = broker

    async def write(self, change: IsrChange) -> PartitionState | None:
        """Write a change, and return what is stored then; None when the partition is gone.

        Another state than the wanted one says that it was refused: by its version, or because
        somebody who was to join has been started anew (KAFKA-14617). What is stored is read and
        decided on again, never just written with a fresh version (KAFKA-2729).

        Raises:
            ConnectionLostError: Whether it was done is unknown.
        """
        checks = broker_checks({self.broker.id: self.broker.stored_epoch, **change.joiners})
        edit = new_state(change.partition, change.state)
        try:
            await publish(self._store, checks=checks, edits=[edit])
        except NodeError:
            return (await read_states(self._store, [change.partition])).get(change.partition)
        return change.state
