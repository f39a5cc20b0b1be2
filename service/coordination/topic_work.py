"""One request for several topics: decide each, write them together, decide again what remains.

A transaction fails as a whole when one thing in it has changed meanwhile. Then nothing says that
the others are still right either, so the image catches up with the store and all that is left is
planned anew.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from everlog.model.errors import EverlogError, RejectedError
from everlog.model.ids import NodeId, TopicId, TopicName
from service.coordination.changes import Edit, batches, last_sequence
from service.coordination.cluster_image import ImageFollower
from service.coordination.controller_term import ControllerTerm, MetadataConflictError
from service.coordination.deleted_topics import Remains, read_remains
from service.coordination.image_reading import read_live_brokers
from service.coordination.metadata_store import MetadataStore, NodeError, NodeTooLargeError
from service.coordination.remnants import remove_surplus
from service.coordination.topic_names import collision_keys
from service.coordination.topic_plan import Placement
from service.model.cluster import ClusterImage, PartitionState, TopicImage

ATTEMPTS_MAX = 5
"""How often a request is decided again because something changed at the same time."""

Outcome = TopicImage | EverlogError
"""The topic as it is after the call, or why not; a deleted one as it was."""


class Moment:
    """What one attempt is decided on."""

    def __init__(
        self,
        image: ClusterImage,
        placement: Placement,
        remains: Mapping[TopicId, Remains] | None = None,
    ) -> None:
        self.image = image
        self.placement = placement
        self.remains = remains or {}

    @cached_property
    def taken(self) -> Mapping[str, TopicName]:
        """The topics by what their names may collide in."""
        return collision_keys(self.image.topics)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What is to be written for one topic.

    Attributes:
        result: The outcome, if it can be written.
        edit: What is written and published; None if the topic is as it should be.
        unseen: What is written before, a transaction each.
        states: New partitions, whose first leaders must still be registered.
    """

    result: TopicImage
    edit: Edit | None
    unseen: Sequence[Edit] = ()
    states: Sequence[PartitionState] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicWork:
    """A request.

    Attributes:
        plan: Decides the topic of that number; raises a RejectedError, which is its outcome.
        count: How many topics there are.
        refused: Outcomes that are known already, by number.
        is_trial: Whether nothing is to be written.
        undeleted: Topics to bring back, of which it is read what is left.
    """

    plan: Callable[[int, Moment], Planned]
    count: int
    refused: Mapping[int, EverlogError]
    is_trial: bool = False
    undeleted: Sequence[TopicId] = ()


async def settle(
    work: TopicWork, store: MetadataStore, images: ImageFollower, term: ControllerTerm
) -> list[Outcome]:
    """Do the work and return an outcome for each topic, in order; the image then has all of it.

    Raises:
        ControllerMovedError: The term is over; some of the work may be done.
        MetadataConflictError: Something kept changing; some of the work may be done.
        ConnectionLostError: The store does not answer; some of the work may be done.
    """
    outcomes: dict[int, Outcome] = dict(work.refused)
    for _ in range(ATTEMPTS_MAX):
        moment = Moment(
            images.image,
            await _placement(store, images.image, term),
            await read_remains(store, work.undeleted),
        )
        planned = _plan_rest(work, moment, outcomes)
        if work.is_trial:
            outcomes.update((index, each.result) for index, each in planned)
            hindered: Sequence[Planned] = ()
        else:
            hindered = await _write(store, images, term, planned, outcomes)
        if len(outcomes) == work.count:
            return [outcomes[index] for index in range(work.count)]
        await images.reached(await last_sequence(store))
        await _clear_away(store, term, images.image, hindered)
    raise MetadataConflictError("the cluster kept changing while this was being decided")


def _plan_rest(
    work: TopicWork, moment: Moment, outcomes: dict[int, Outcome]
) -> Iterator[tuple[int, Planned]]:
    """Plan what has no outcome yet, one by one: thousands at once would hold up the loop."""
    for index in range(work.count):
        if index not in outcomes:
            try:
                planned = work.plan(index, moment)
            except RejectedError as error:
                outcomes[index] = error
            else:
                yield index, planned


async def _placement(store: MetadataStore, image: ClusterImage, term: ControllerTerm) -> Placement:
    live = await read_live_brokers(store)
    racks = {broker.id: broker.rack for broker in live.values()}
    return Placement(
        live={broker.id: broker.epoch for broker in live.values()},
        racks={**image.racks, **racks},
        controller_epoch=term.epoch,
    )


async def _write(
    store: MetadataStore,
    images: ImageFollower,
    term: ControllerTerm,
    planned: Iterator[tuple[int, Planned]],
    outcomes: dict[int, Outcome],
) -> Sequence[Planned]:
    """Write until something is in the way; return what it was in the way of."""
    waiting: deque[tuple[int, Planned]] = deque()
    sequence = -1
    hindered: Sequence[Planned] = ()
    for batch in batches(_edits(planned, waiting, outcomes)):
        part = [waiting.popleft() for _ in batch]
        each_planned = [each for _, each in part]
        try:
            sequence = await _publish(store, term, each_planned)
        except NodeTooLargeError as error:
            outcomes.update((index, error) for index, _ in part)
        except NodeError:
            # None of them has an outcome now: they are decided again.
            hindered = each_planned
            break
        else:
            outcomes.update((index, each.result) for index, each in part)
    await images.reached(sequence)
    return hindered


def _edits(
    planned: Iterator[tuple[int, Planned]],
    waiting: deque[tuple[int, Planned]],
    outcomes: dict[int, Outcome],
) -> Iterator[Edit]:
    for index, each in planned:
        if each.edit is None:
            outcomes[index] = each.result
        else:
            waiting.append((index, each))
            yield each.edit


async def _publish(store: MetadataStore, term: ControllerTerm, planned: Sequence[Planned]) -> int:
    for each in planned:
        for unseen in each.unseen:
            await term.write(store, unseen.ops)
    edits = [each.edit for each in planned if each.edit is not None]
    return await term.publish(store, edits, leaders=_leaders(planned))


def _leaders(planned: Sequence[Planned]) -> dict[NodeId, int]:
    return {
        state.leader: state.leader_broker_epoch
        for each in planned
        for state in each.states
        if state.leader is not None
    }


async def _clear_away(
    store: MetadataStore, term: ControllerTerm, image: ClusterImage, left: Sequence[Planned]
) -> None:
    """Remove what an enlargement that was never finished may have put in the way."""
    for each in left:
        topic = image.topic_by_id(each.result.topic_id)
        if topic is not None:
            await remove_surplus(store, term, topic)
