"""Creates, enlarges, configures and deletes topics: the controller's work that people ask for.

Every call is one turn of the controller. What one call is asked to do for several topics is done in
as few transactions as changes may be large, and has an outcome for each topic. When a transaction
meets something that has changed meanwhile, the image catches up and what is left is decided again.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from everlog.model.clock import Clock, IdSource
from everlog.model.errors import EverlogError, RejectedError
from everlog.model.ids import TopicId, TopicName
from service.coordination.cluster_image import ImageFollower
from service.coordination.controller import Controller
from service.coordination.metadata_store import MetadataStore
from service.coordination.topic_cloning import Resolve, clone_order
from service.coordination.topic_edits import (
    configuration,
    creation,
    deletion,
    growth,
    undeletion,
)
from service.coordination.topic_errors import (
    InvalidTopicRequestError,
    TopicExistsError,
    TopicHeldError,
    UnknownTopicError,
    UnknownTopicIdError,
)
from service.coordination.topic_names import NameCollisionError, check_topic_name, collision_key
from service.coordination.topic_plan import (
    AskStore,
    CheckConfig,
    MorePartitions,
    NewTopic,
    TopicDefaults,
    plan_growth,
    plan_topic,
)
from service.coordination.topic_work import Moment, Outcome, Planned, TopicWork, settle
from service.coordination.undeletion import plan_undeletion
from service.model.cluster import ClusterImage, TopicImage
from service.model.topic_config import TopicConfig, is_held

ChangeConfig = Callable[[Mapping[str, str]], Mapping[str, str]]
"""Turns a topic's own settings into others; may be called again, and may raise RejectedError."""


class TopicRegistry:
    """What handlers call to change topics. Works on the controller only.

    Every method raises NotControllerError (another broker is the controller), ControllerBusyError
    and MetadataConflictError (try again), and ConnectionLostError (the outcome is unknown).
    """

    def __init__(
        self,
        *,
        store: MetadataStore,
        images: ImageFollower,
        controller: Controller,
        clock: Clock,
        ids: IdSource,
        check_config: CheckConfig,
        defaults: TopicDefaults,
        resolve: Resolve = TopicConfig.resolve,
        ask_store: AskStore | None = None,
    ) -> None:
        self._store = store
        self._images = images
        self._controller = controller
        self._clock = clock
        self._ids = ids
        self._check_config = check_config
        self._defaults = defaults
        self._resolve = resolve
        self._ask_store = ask_store

    async def create_topics(
        self, topics: Sequence[NewTopic], *, validate_only: bool = False
    ) -> list[Outcome]:
        """Create topics; on return this broker's image has those that were created.

        Outcomes: InvalidTopicRequestError (named twice, or contradictory), InvalidTopicNameError,
        TopicExistsError, InvalidPartitionsError, InvalidReplicationFactorError,
        InvalidReplicaAssignmentError, NodeTooLargeError, NothingToUndeleteError,
        UndeleteRefusedError, or what the check of the config raises.

        Args:
            topics: What to create.
            validate_only: Only say what would come of it. The ids are then nobody's.
        """
        names = [topic.name for topic in topics]
        refused = _undeleted_twice(topics) | _clashes(names) | _named_twice(names)
        refused |= await self._lacking(topics)
        plan = partial(self._plan_creation, topics)
        return await self._settle(
            TopicWork(
                plan=plan,
                count=len(topics),
                refused=refused,
                is_trial=validate_only,
                undeleted=[each.undelete for each in topics if each.undelete is not None],
            )
        )

    async def create_partitions(
        self, topics: Sequence[MorePartitions], *, validate_only: bool = False
    ) -> list[Outcome]:
        """Enlarge topics; on return this broker's image has the new partitions.

        Outcomes: InvalidTopicRequestError (named twice), UnknownTopicError, InvalidPartitionsError,
        InvalidReplicaAssignmentError.
        """
        refused = _named_twice([topic.name for topic in topics])
        plan = partial(self._plan_growth, topics)
        return await self._settle(
            TopicWork(plan=plan, count=len(topics), refused=refused, is_trial=validate_only)
        )

    async def delete_topics(self, topics: Sequence[TopicName | TopicId]) -> list[Outcome]:
        """Delete topics, each by name or by id; on return this broker's image has them no more.

        Their objects, if any, stay until they are collected, and so long they can be brought back
        by `create_topics`. Outcomes: InvalidTopicRequestError
        (named twice), UnknownTopicError, UnknownTopicIdError, TopicHeldError.
        """
        plan = partial(self._plan_deletion, topics)
        return await self._settle(
            TopicWork(plan=plan, count=len(topics), refused=_named_twice(topics))
        )

    async def alter_topic_config(
        self, name: TopicName, change: ChangeConfig, *, validate_only: bool = False
    ) -> TopicImage:
        """Change a topic's own settings and return it; on return this broker's image has them.

        Raises:
            UnknownTopicError: There is no such topic.
            RejectedError: ``change`` or the check of the config refuses.
        """
        topic = self._images.image.topic(name)
        if self._ask_store is not None and topic is not None:
            await self._ask_store(topic.config, change(topic.config))
        plan = partial(self._plan_config, name, change)
        (outcome,) = await self._settle(
            TopicWork(plan=plan, count=1, refused={}, is_trial=validate_only)
        )
        if isinstance(outcome, EverlogError):
            raise outcome
        return outcome

    async def _lacking(self, topics: Sequence[NewTopic]) -> dict[int, EverlogError]:
        """Refuse the topics that the store of the archive has no means for."""
        refused: dict[int, EverlogError] = {}
        for index, new in enumerate(topics):
            if self._ask_store is not None and new.undelete is None:
                try:
                    await self._ask_store({}, new.config)
                except RejectedError as error:
                    refused[index] = error
        return refused

    async def _settle(self, work: TopicWork) -> list[Outcome]:
        return await self._controller.perform(partial(settle, work, self._store, self._images))

    def _plan_creation(self, topics: Sequence[NewTopic], index: int, moment: Moment) -> Planned:
        new = topics[index]
        check_topic_name(new.name)
        if new.name in moment.image.topics:
            raise TopicExistsError(new.name)
        if (clash := moment.taken.get(collision_key(new.name))) is not None:
            raise NameCollisionError(new.name, clash)
        if new.undelete is not None:
            return self._plan_undeletion(new, new.undelete, moment)
        order = clone_order(new, moment.image, self._resolve)
        new = new if order is None else order.new
        self._check_config(new.config)
        topic = plan_topic(
            new,
            topic_id=TopicId(self._ids.uuid()),
            placement=moment.placement,
            defaults=self._defaults,
        )
        if order is not None:
            topic = order.clone(topic)
        unseen, edit = creation(topic)
        if order is not None:
            edit = order.pinned(topic, edit)
        return Planned(result=topic, edit=edit, unseen=unseen, states=topic.partitions)

    def _plan_undeletion(self, new: NewTopic, topic_id: TopicId, moment: Moment) -> Planned:
        remains = moment.remains.get(topic_id)
        topic = plan_undeletion(new, topic_id, remains, placement=moment.placement)
        assert remains is not None, "or there would be no plan"
        self._check_config(topic.config)
        unseen, edit = undeletion(topic, remains.proof)
        return Planned(result=topic, edit=edit, unseen=unseen, states=topic.partitions)

    def _plan_growth(self, topics: Sequence[MorePartitions], index: int, moment: Moment) -> Planned:
        more = topics[index]
        topic = _known(moment.image, more.name)
        added = plan_growth(more, topic, placement=moment.placement)
        unseen, edit = growth(topic, added)
        partitions = (*topic.partitions, *added)
        larger = replace(topic, partitions=partitions, version=topic.version + 1)
        return Planned(result=larger, edit=edit, unseen=unseen, states=added)

    def _plan_deletion(
        self, topics: Sequence[TopicName | TopicId], index: int, moment: Moment
    ) -> Planned:
        topic = _known(moment.image, topics[index])
        if is_held(topic.config):
            raise TopicHeldError(topic.name)
        return Planned(result=topic, edit=deletion(topic, deleted_ms=self._clock.wall_ms()))

    def _plan_config(
        self, name: TopicName, change: ChangeConfig, _index: int, moment: Moment
    ) -> Planned:
        topic = _known(moment.image, name)
        config = dict(change(topic.config))
        self._check_config(config)
        if config == topic.config:
            return Planned(result=topic, edit=None)
        changed = replace(topic, config=config, version=topic.version + 1)
        return Planned(result=changed, edit=configuration(topic, config))


def _known(image: ClusterImage, topic: TopicName | TopicId) -> TopicImage:
    if isinstance(topic, str):
        found = image.topic(topic)
        if found is None:
            raise UnknownTopicError(topic)
    else:
        found = image.topic_by_id(topic)
        if found is None:
            raise UnknownTopicIdError(topic)
    return found


def _named_twice(topics: Sequence[TopicName | TopicId]) -> dict[int, EverlogError]:
    counts = Counter(topics)
    return {
        index: InvalidTopicRequestError(f"the request names {topic!r} {counts[topic]} times")
        for index, topic in enumerate(topics)
        if counts[topic] > 1
    }


def _undeleted_twice(topics: Sequence[NewTopic]) -> dict[int, EverlogError]:
    wanted = [topic.undelete for topic in topics]
    return {
        index: InvalidTopicRequestError("the request brings the same topic back more than once")
        for index, topic_id in enumerate(wanted)
        if topic_id is not None and wanted.count(topic_id) > 1
    }


def _clashes(names: Sequence[TopicName]) -> dict[int, EverlogError]:
    """Refuse all but the first of different names in one request that metrics cannot tell apart."""
    first: dict[str, TopicName] = {}
    refused: dict[int, EverlogError] = {}
    for index, name in enumerate(names):
        other = first.setdefault(collision_key(name), name)
        if other != name:
            refused[index] = NameCollisionError(name, other)
    return refused
