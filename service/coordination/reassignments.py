"""Reassignments that somebody asks for: started, replaced by others, and cancelled (KIP-455)."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import islice

from everlog.model.errors import EverlogError, RejectedError
from everlog.model.ids import NodeId, PartitionId
from service.coordination.asked_elections import Named, NoSuchPartitionError, Outcomes
from service.coordination.changes import CHANGE_PARTITIONS_MAX
from service.coordination.cluster_image import ImageFollower
from service.coordination.controller import Controller
from service.coordination.controller_term import ControllerTerm
from service.coordination.elections import ElectionRules, Electorate
from service.coordination.leadership import ElectionStats, RulesOf, Voting
from service.coordination.metadata_store import MetadataStore
from service.coordination.replica_moves import begun, cancelled
from service.coordination.topic_errors import InvalidReplicaAssignmentError
from service.model.cluster import ClusterImage, PartitionState

Wanted = Mapping[Named, Sequence[NodeId] | None]
"""The replicas that partitions are to have, in order of preference; None for those they had."""


class NoReassignmentError(RejectedError):
    """There is nothing to cancel."""


class Reassignments:
    """What handlers call. Works on the controller only.

    Args:
        rules_of: What topics say of elections.
        stats: Of elections.
    """

    def __init__(
        self,
        *,
        store: MetadataStore,
        images: ImageFollower,
        controller: Controller,
        rules_of: RulesOf,
        stats: ElectionStats,
    ) -> None:
        self._store = store
        self._images = images
        self._controller = controller
        self._rules_of = rules_of
        self._stats = stats

    async def alter(self, wanted: Wanted) -> Outcomes:
        """Have replicas reassigned; this image has it on return, and brokers begin to copy.

        Safe to repeat: what is wanted already is left as it is.

        Raises:
            NotControllerError: Another broker is the controller.
            MetadataConflictError: Somebody kept writing at the same time; some may be begun.
            ConnectionLostError: The outcome is unknown.
        """
        return await self._controller.perform(partial(self._alter, dict(wanted)))

    async def under_way(self, named: Iterable[Named] | None) -> dict[Named, PartitionState]:
        """Return the partitions that are being reassigned, of those named or of all (None).

        Raises:
            NotControllerError: Another broker is the controller.
        """
        return await self._controller.perform(partial(self._list, named))

    async def _list(
        self, named: Iterable[Named] | None, _term: ControllerTerm
    ) -> dict[Named, PartitionState]:
        image = self._images.image
        asked = _everything(image) if named is None else dict.fromkeys(named)
        found = ((each, image.partition(*each)) for each in asked)
        return {each: state for each, state in found if state is not None and state.is_moving}

    async def _alter(self, wanted: Wanted, term: ControllerTerm) -> Outcomes:
        image = self._images.image
        outcomes: Outcomes = dict.fromkeys(wanted)
        held: dict[PartitionId, PartitionState] = {}
        targets: dict[PartitionId, Sequence[NodeId] | None] = {}
        rules: dict[PartitionId, ElectionRules] = {}
        for (name, number), target in wanted.items():
            topic, state = image.topic(name), image.partition(name, number)
            if topic is None or state is None:
                outcomes[name, number] = NoSuchPartitionError(f"{name}-{number} does not exist")
            elif target is not None and (why := _refusal(target, image)) is not None:
                outcomes[name, number] = InvalidReplicaAssignmentError(why)
            else:
                partition = PartitionId(topic.topic_id, number)
                held[partition], targets[partition] = state, target
                rules[partition] = self._rules_of(topic)
        refusals = await self._write(image, held, targets, rules, term)
        return outcomes | {
            (image.names[each.topic_id], each.partition): why for each, why in refusals.items()
        }

    async def _write(
        self,
        image: ClusterImage,
        held: Mapping[PartitionId, PartitionState],
        targets: Mapping[PartitionId, Sequence[NodeId] | None],
        rules: Mapping[PartitionId, ElectionRules],
        term: ControllerTerm,
    ) -> dict[PartitionId, EverlogError]:
        refusals: dict[PartitionId, EverlogError] = {}

        def decide(
            partition: PartitionId, state: PartitionState, electorate: Electorate
        ) -> PartitionState | None:
            refusals.pop(partition, None)
            target, rule = targets[partition], rules[partition]
            try:
                if target is not None:
                    return begun(state, target, electorate, rule, controller_epoch=term.epoch)
                if not state.is_moving:
                    raise NoReassignmentError("its replicas are not being reassigned")
                return cancelled(state, electorate, rule, controller_epoch=term.epoch)
            except RejectedError as error:
                refusals[partition] = error
                return None

        voting = Voting(
            store=self._store, term=term, decide=decide, names=image.names, stats=self._stats
        )
        sequence, rest = -1, iter(held.items())
        while part := dict(islice(rest, CHANGE_PARTITIONS_MAX)):
            sequence = max(sequence, await voting.hold(part))
        await self._images.reached(sequence)
        return refusals


def _refusal(target: Sequence[NodeId], image: ClusterImage) -> str | None:
    """Return what is wrong with replicas, whatever partition they are for."""
    if not target or len(set(target)) != len(target):
        return f"the replicas {list(target)} are wanted: name at least one, and each broker once"
    if strangers := sorted(set(target) - image.racks.keys()):
        return f"replicas are wanted on the brokers {strangers}, which do not exist"
    return None


def _everything(image: ClusterImage) -> Iterable[Named]:
    return (
        (topic.name, number)
        for topic in image.topics.values()
        for number in range(len(topic.partitions))
    )
