"""Elections that somebody asks for: of the preferred leader, or of one that is not in sync.

A preferred leader takes over only if it is alive and in sync, in the transaction that ends the term
of the one before; otherwise nothing changes (KAFKA-9866).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from functools import partial
from itertools import islice

from everlog.model.errors import EverlogError, RejectedError, RetriableError
from everlog.model.ids import PartitionId, TopicId, TopicName
from service.coordination.changes import CHANGE_PARTITIONS_MAX
from service.coordination.cluster_image import ImageFollower
from service.coordination.controller import Controller
from service.coordination.controller_term import ControllerTerm
from service.coordination.elections import ElectionRules, Electorate, elect, led_by
from service.coordination.leadership import ElectionStats, RulesOf, Voting
from service.coordination.metadata_store import MetadataStore
from service.model.cluster import ClusterImage, PartitionState


class ElectionKind(Enum):
    """Who is to lead: the first replica, or any where no other is left."""

    PREFERRED = "preferred"
    UNCLEAN = "unclean"


class NoSuchPartitionError(RejectedError):
    """There is no such topic, or it has not so many partitions."""


class ElectionNotNeededError(RejectedError):
    """Who is to lead leads already."""


class PreferredLeaderNotAvailableError(RetriableError):
    """The preferred leader is not alive, not in sync, or about to stop."""


class EligibleLeadersNotAvailableError(RetriableError):
    """No replica is alive."""


Named = tuple[TopicName, int]
"""A partition by its topic's name and its number."""

Outcomes = dict[Named, EverlogError | None]
"""Why there was no election; None where there was one."""


class LeaderElections:
    """What handlers and the balance of leaders call. Works on the controller only.

    Args:
        rules_of: What topics say of elections.
        stats: Counts unclean ones.
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

    async def elect(self, wanted: Iterable[Named] | None, kind: ElectionKind) -> Outcomes:
        """Elect leaders of partitions, or of all (None); this image has them on return.

        Of all, only those are told of that have no leader of that kind.

        Raises:
            NotControllerError: Another broker is the controller.
            MetadataConflictError: Somebody kept writing at the same time; some may be elected.
            ConnectionLostError: The outcome is unknown.
        """
        named = None if wanted is None else tuple(dict.fromkeys(wanted))
        return await self._controller.perform(partial(self._elect, named, kind))

    async def _elect(
        self, wanted: Sequence[Named] | None, kind: ElectionKind, term: ControllerTerm
    ) -> Outcomes:
        image = self._images.image
        outcomes: Outcomes = dict.fromkeys(_everything(image) if wanted is None else wanted)
        held: dict[PartitionId, PartitionState] = {}
        rules: dict[TopicId, ElectionRules] = {}
        for name, number in outcomes:
            state, topic = image.partition(name, number), image.topic(name)
            if state is None or topic is None:
                outcomes[name, number] = NoSuchPartitionError(f"{name}-{number} does not exist")
                continue
            held[PartitionId(topic.topic_id, number)] = state
            rules.setdefault(topic.topic_id, self._rules_of(topic))
        found = await self._vote(image, kind, held, rules, term)
        outcomes |= {(image.names[each.topic_id], each.partition): why for each, why in found}
        if wanted is None:
            return {k: why for k, why in outcomes.items() if not _is_as_it_was(why)}
        return outcomes

    async def _vote(
        self,
        image: ClusterImage,
        kind: ElectionKind,
        held: Mapping[PartitionId, PartitionState],
        rules: Mapping[TopicId, ElectionRules],
        term: ControllerTerm,
    ) -> Iterable[tuple[PartitionId, EverlogError | None]]:
        refusals: dict[PartitionId, EverlogError] = {}

        def decide(
            partition: PartitionId, state: PartitionState, electorate: Electorate
        ) -> PartitionState | None:
            refusals.pop(partition, None)
            rule = rules[partition.topic_id]
            try:
                return _RULES[kind](state, electorate, rule, controller_epoch=term.epoch)
            except (RejectedError, RetriableError) as error:
                refusals[partition] = error
                return None

        voting = Voting(
            store=self._store, term=term, decide=decide, names=image.names, stats=self._stats
        )
        sequence, rest = -1, iter(held.items())
        while part := dict(islice(rest, CHANGE_PARTITIONS_MAX)):
            sequence = max(sequence, await voting.hold(part))
        await self._images.reached(sequence)
        return [(each, refusals.get(each)) for each in held]


def elect_preferred(
    state: PartitionState, electorate: Electorate, rules: ElectionRules, *, controller_epoch: int
) -> PartitionState:
    """Return the state in which the first replica leads.

    Raises:
        ElectionNotNeededError: It does.
        PreferredLeaderNotAvailableError: It cannot.
    """
    preferred = state.replicas[0]
    if state.leader == preferred and electorate.has_leader(state):
        raise ElectionNotNeededError(f"broker {preferred} leads already")
    if preferred not in electorate.live:
        why = "about to stop" if preferred in electorate.draining else "not running"
        raise PreferredLeaderNotAvailableError(
            f"broker {preferred}, the preferred leader, is {why}"
        )
    if preferred not in state.isr:
        raise PreferredLeaderNotAvailableError(
            f"broker {preferred}, the preferred leader, is not in sync: wait until it is"
        )
    return led_by(state, preferred, electorate.live, rules, controller_epoch=controller_epoch)


def elect_unclean(
    state: PartitionState, electorate: Electorate, rules: ElectionRules, *, controller_epoch: int
) -> PartitionState:
    """Return the state in which a replica leads, if need be one that is not in sync.

    Raises:
        ElectionNotNeededError: One leads.
        EligibleLeadersNotAvailableError: None is alive.
    """
    if electorate.has_leader(state):
        raise ElectionNotNeededError(f"broker {state.leader} leads already")
    allowed = replace(rules, unclean=True)
    elected = elect(state, electorate.live, allowed, controller_epoch=controller_epoch)
    if elected is None or elected.leader is None:
        brokers = ", ".join(map(str, state.replicas))
        raise EligibleLeadersNotAvailableError(f"no replica is running: start one of {brokers}")
    return elected


_RULES = {ElectionKind.PREFERRED: elect_preferred, ElectionKind.UNCLEAN: elect_unclean}


def _everything(image: ClusterImage) -> Iterable[Named]:
    return (
        (topic.name, number)
        for topic in image.topics.values()
        for number in range(len(topic.partitions))
    )


def _is_as_it_was(why: EverlogError | None) -> bool:
    return isinstance(why, ElectionNotNeededError)
