"""Gives every partition that has nobody to act in its term a new one."""

from collections.abc import Mapping
from itertools import islice

import structlog

from everlog.model.ids import PartitionId
from service.coordination.changes import CHANGE_PARTITIONS_MAX, batches
from service.coordination.controller_term import ControllerTerm, MetadataConflictError
from service.coordination.elections import BrokerEpochs, elect, needs_election
from service.coordination.image_reading import read_live_brokers, read_states
from service.coordination.metadata_store import MetadataStore, NodeError
from service.coordination.topic_edits import new_state
from service.model.cluster import ClusterImage, PartitionState

ATTEMPTS_MAX = 5
"""How often a batch is read and decided again because somebody wrote at the same time."""

States = Mapping[PartitionId, PartitionState]

_log = structlog.get_logger(__name__)


async def hold_elections(store: MetadataStore, term: ControllerTerm, image: ClusterImage) -> int:
    """Elect where it is needed; return the number of the last change, -1 when there was none.

    Raises:
        ControllerMovedError: The term is over.
        MetadataConflictError: Somebody kept writing at the same time.
    """
    live = await _read_live(store)
    needy = iter(
        [
            (PartitionId(topic.topic_id, number), state)
            for topic in image.topics.values()
            for number, state in enumerate(topic.partitions)
            if needs_election(state, live)
        ]
    )
    sequence = -1
    while part := dict(islice(needy, CHANGE_PARTITIONS_MAX)):
        sequence = max(sequence, await _elect_all(store, term, part, live))
    return sequence


async def _elect_all(
    store: MetadataStore, term: ControllerTerm, states: States, live: BrokerEpochs
) -> int:
    for _ in range(ATTEMPTS_MAX):
        try:
            return await _elect_once(store, term, states, live)
        except NodeError:
            # Never just repeated with a fresh version: read again, and decide again (KAFKA-2729).
            states, live = await read_states(store, list(states)), await _read_live(store)
    raise MetadataConflictError("partitions kept changing while their leaders were elected")


async def _elect_once(
    store: MetadataStore, term: ControllerTerm, states: States, live: BrokerEpochs
) -> int:
    elected: dict[PartitionId, PartitionState] = {}
    for partition, state in states.items():
        if needs_election(state, live):
            decided = elect(state, live, controller_epoch=term.epoch)
            if decided is not None:
                elected[partition] = decided
    if not elected:
        return -1
    leaders = {s.leader: s.leader_broker_epoch for s in elected.values() if s.leader is not None}
    sequence = -1
    for batch in batches([new_state(*each) for each in elected.items()]):
        sequence = await term.publish(store, batch, leaders=leaders)
    offline = sum(state.leader is None for state in elected.values())
    _log.info("leaders_elected", partitions=len(elected), offline=offline)
    return sequence


async def _read_live(store: MetadataStore) -> BrokerEpochs:
    return {broker.id: broker.epoch for broker in (await read_live_brokers(store)).values()}
