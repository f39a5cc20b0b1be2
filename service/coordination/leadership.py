"""Gives partitions that have nobody to act in their term a new one, and lets go who has gone.

Reassignments are completed on the way: they wait for the same things.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice

import structlog

from everlog.model.ids import NodeId, PartitionId, TopicId, TopicName
from service.coordination.changes import CHANGE_PARTITIONS_MAX, batches
from service.coordination.controller_term import ControllerTerm, MetadataConflictError
from service.coordination.elections import (
    STRICT,
    ElectionRules,
    Electorate,
    is_settled,
    is_unclean,
)
from service.coordination.image_reading import read_registered, read_states
from service.coordination.metadata_store import MetadataStore, NodeError
from service.coordination.replica_moves import decide_all, may_complete
from service.coordination.topic_edits import new_state
from service.model.cluster import ClusterImage, PartitionState, TopicImage

ATTEMPTS_MAX = 5
"""How often a batch is read and decided again because somebody wrote at the same time."""

States = Mapping[PartitionId, PartitionState]

RulesOf = Callable[[TopicImage], ElectionRules]

Decide = Callable[[PartitionId, PartitionState, Electorate], PartitionState | None]

_log = structlog.get_logger(__name__)


def default_rules(_topic: TopicImage) -> ElectionRules:
    """Return the rules of a topic whose settings nobody has looked at."""
    return STRICT


@dataclass(slots=True)
class ElectionStats:
    """What a controller has done since the start of its process.

    Attributes:
        unclean: Elections of leaders that were not in sync.
    """

    unclean: int = 0


async def hold_elections(
    store: MetadataStore,
    term: ControllerTerm,
    image: ClusterImage,
    *,
    rules_of: RulesOf = default_rules,
    stats: ElectionStats | None = None,
) -> int:
    """Elect where it is needed; return the number of the last change, -1 when there was none.

    Raises:
        ControllerMovedError: The term is over.
        MetadataConflictError: Somebody kept writing at the same time.
    """
    electorate = await _read_electorate(store)
    needy: list[tuple[PartitionId, PartitionState]] = []
    rules: dict[TopicId, ElectionRules] = {}
    for topic in image.topics.values():
        for number, state in enumerate(topic.partitions):
            if not is_settled(state, electorate) or may_complete(state, electorate):
                needy.append((PartitionId(topic.topic_id, number), state))
                if topic.topic_id not in rules:
                    rules[topic.topic_id] = rules_of(topic)
    # Who has no leader waits for more than who only has a replica too many in its ISR.
    needy.sort(key=lambda each: electorate.has_leader(each[1]))
    waiting = iter(needy)
    voting = Voting(
        store=store,
        term=term,
        decide=lambda partition, state, electorate: decide_all(
            state, electorate, rules[partition.topic_id], controller_epoch=term.epoch
        ),
        names=image.names,
        stats=stats or ElectionStats(),
    )
    sequence = -1
    while part := dict(islice(waiting, CHANGE_PARTITIONS_MAX)):
        sequence = max(sequence, await voting.hold(part))
    return sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Voting:
    """How states are decided and stored, a transaction's worth at a time.

    Attributes:
        decide: Gives the state to store, or None to leave it; asked again when somebody else has
            written meanwhile.
        names: Of the topics, for the log.
        stats: Counts unclean elections.
    """

    store: MetadataStore
    term: ControllerTerm
    decide: Decide
    names: Mapping[TopicId, TopicName]
    stats: ElectionStats

    async def hold(self, states: States) -> int:
        """Decide on states; return the number of the last change, -1 when there was none.

        Raises:
            ControllerMovedError: The term is over.
            MetadataConflictError: Somebody kept writing at the same time.
        """
        for _ in range(ATTEMPTS_MAX):
            electorate = await _read_electorate(self.store)
            try:
                return await self._hold_once(states, electorate)
            except NodeError:
                # Never just repeated with a fresh version: read again, and decide again
                # (KAFKA-2729).
                states = await read_states(self.store, list(states))
        raise MetadataConflictError("partitions kept changing while their leaders were elected")

    async def _hold_once(self, states: States, electorate: Electorate) -> int:
        decided: dict[PartitionId, PartitionState] = {}
        for partition, state in states.items():
            after = self.decide(partition, state, electorate)
            if after is not None:
                decided[partition] = after
        if not decided:
            return -1
        sequence = -1
        for batch in batches([new_state(*each) for each in decided.items()]):
            sequence = await self.term.publish(
                self.store, batch, leaders=_leaders(decided, electorate)
            )
        _report(states, decided)
        for partition, after in decided.items():
            if is_unclean(states[partition], after):
                self._warn(partition, states[partition], after)
        return sequence

    def _warn(self, partition: PartitionId, before: PartitionState, after: PartitionState) -> None:
        self.stats.unclean += 1
        _log.warning(
            "unclean_leader_elected",
            topic=self.names[partition.topic_id],
            partition=partition.partition,
            leader=after.leader,
            leader_epoch=after.leader_epoch,
            in_sync_before=before.isr,
            advice=(
                "acknowledged records that it lacks and that are not archived are lost; unset "
                "unclean.leader.election.enable to wait for a replica in sync instead"
            ),
        )


def _leaders(decided: States, electorate: Electorate) -> dict[NodeId, int]:
    """Return what the epochs' nodes of those who lead must still be at."""
    return {
        state.leader: state.leader_broker_epoch + (state.leader in electorate.draining)
        for state in decided.values()
        if state.leader is not None
    }


def _report(before: States, decided: States) -> None:
    steps = [(before[partition], after) for partition, after in decided.items()]
    terms = [after for old, after in steps if after.leader_epoch != old.leader_epoch]
    if terms:
        offline = sum(state.leader is None for state in terms)
        _log.info("leaders_elected", partitions=len(terms), offline=offline)
    in_term = [(old, after) for old, after in steps if after.leader_epoch == old.leader_epoch]
    if let_go := sum(len(after.isr) < len(old.isr) for old, after in in_term):
        _log.info("replicas_let_go", partitions=let_go)
    if begun := sum(after.is_moving and not old.is_moving for old, after in steps):
        _log.info("reassignments_begun", partitions=begun)
    if ended := sum(old.is_moving and not after.is_moving for old, after in steps):
        _log.info("reassignments_ended", partitions=ended)


async def _read_electorate(store: MetadataStore) -> Electorate:
    return Electorate.of(await read_registered(store))
