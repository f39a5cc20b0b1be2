"""Gathers what a cut of the cluster consists of, without holding the loop up."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from everlog.format.cut import Cut, CutOffset, CutRoot, CutTopic, root_name
from everlog.format.pointer import decode_pointer
from everlog.model.clock import Clock
from everlog.model.errors import CorruptionError, RejectedError, RetriableError
from everlog.model.ids import PartitionId, TopicId, TopicName
from everlog.model.offsets import LeaderEpoch
from service.coordination.metadata_store import MetadataStore
from service.coordination.znodes import TIER, tier_path
from service.model.cluster import ClusterImage, TopicImage
from service.model.committed_offsets import CommittedOffsets
from service.model.config_definition import InvalidConfigError
from service.model.setting_type import Value
from service.model.topic_config import TopicConfig

POINTERS_PER_TURN = 64
"""Pointers that are read before other work gets its turn; some 2 ms."""

GROUPS_PER_TURN = 100
"""Groups whose topics are looked up before other work gets its turn."""


class OffsetsNotKnownError(RetriableError):
    """Some coordinator has not handed in what its groups have committed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CutSources:
    """Where the parts of a cut come from.

    Attributes:
        metadata: Has the pointers of all partitions, whoever leads them.
        image: The cluster as of now.
        defaults: The broker's values for every topic setting.
        offsets: Asks every coordinator for the offsets of its groups.
        offsets_topic: Where those are kept.
    """

    metadata: MetadataStore
    image: Callable[[], ClusterImage]
    defaults: Callable[[], Mapping[str, Value]]
    offsets: Callable[[], Awaitable[Sequence[CommittedOffsets]]]
    offsets_topic: TopicName


class CutMaker:
    """Makes cuts; the controller's work."""

    def __init__(self, sources: CutSources, *, cluster_id: str, clock: Clock) -> None:
        self._sources = sources
        self._cluster_id = cluster_id
        self._clock = clock

    async def make(self, *, owner: int, after_ms: int) -> Cut | None:
        """Return the cluster as it is now; None if no topic of it is tiered.

        Offsets come first and roots after them, so that few offsets are beyond what is archived.

        Args:
            owner: Number of the owner of the store.
            after_ms: When the last cut was made: this one is newer, whatever the clock says.

        Raises:
            RetriableError: A coordinator, or the metadata store, has not answered.
        """
        groups = await self._groups()
        # Reads of a session may lag behind; a cut must not name roots that have gone since.
        await self._sources.metadata.sync(TIER)
        image = self._sources.image()
        topics = [await self._topic(topic) for topic in image.topics.values()]
        if not any(topic.is_tiered for topic in topics):
            return None
        return Cut(
            cluster_id=self._cluster_id,
            owner=owner,
            created_ms=max(self._clock.wall_ms(), after_ms + 1),
            settings={who: config for who, config in image.broker_configs.items() if config},
            topics=topics,
            groups=groups,
        )

    async def _groups(self) -> Mapping[str, Mapping[TopicId, Sequence[CutOffset]]]:
        """Return the offsets of all groups, by the topics that have those names now."""
        parts = await self._sources.offsets()
        image = self._sources.image()
        self._check_all_are_there(image, parts)
        ids = {name: topic.topic_id for name, topic in image.topics.items()}
        found: dict[str, Mapping[TopicId, Sequence[CutOffset]]] = {}
        for number, (group_id, topics) in enumerate(_sorted_groups(parts)):
            named = {ids[name]: rows for name, rows in sorted(topics.items()) if name in ids}
            if named:
                found[group_id] = named
            if number % GROUPS_PER_TURN == 0:
                await asyncio.sleep(0)
        return found

    def _check_all_are_there(self, image: ClusterImage, parts: Sequence[CommittedOffsets]) -> None:
        """Without some groups a cut would hide the one that has them."""
        topic = image.topic(self._sources.offsets_topic)
        count = 0 if topic is None else len(topic.partitions)
        known: set[int] = set().union(*(part.partitions for part in parts))
        missing = [number for number in range(count) if number not in known]
        if missing:
            raise OffsetsNotKnownError(
                f"{self._sources.offsets_topic}-{missing[0]} is not loaded "
                f"({len(missing)} of {count} partitions are not)"
            )

    async def _topic(self, topic: TopicImage) -> CutTopic:
        roots: list[CutRoot] = []
        was_claimed = False
        for first in range(0, len(topic.partitions), POINTERS_PER_TURN):
            end = min(first + POINTERS_PER_TURN, len(topic.partitions))
            for number, payload in await self._pointers(topic.topic_id, range(first, end)):
                was_claimed = was_claimed or bool(payload)
                root = _root(number, payload)
                if root is not None:
                    roots.append(root)
            await asyncio.sleep(0)
        return CutTopic(
            name=topic.name,
            topic_id=topic.topic_id,
            partitions=len(topic.partitions),
            config=topic.config,
            epoch=max((state.leader_epoch for state in topic.partitions), default=LeaderEpoch(0)),
            is_tiered=was_claimed or self._is_tiered(topic),
            roots=roots,
            extra=topic.extra,
        )

    async def _pointers(self, topic_id: TopicId, numbers: range) -> Iterator[tuple[int, bytes]]:
        paths = [tier_path(PartitionId(topic_id, number)) for number in numbers]
        nodes = await self._sources.metadata.get_many(paths)
        return (
            (number, node[0])
            for number, node in zip(numbers, nodes, strict=True)
            if node is not None
        )

    def _is_tiered(self, topic: TopicImage) -> bool:
        try:
            return TopicConfig.resolve(topic.config, self._sources.defaults()).tiered
        except InvalidConfigError:
            return False  # its partitions are offline; if it ever had a tier, that shows


def _sorted_groups(
    parts: Sequence[CommittedOffsets],
) -> Iterator[tuple[str, Mapping[TopicName, Sequence[CutOffset]]]]:
    groups = {group_id: each for part in parts for group_id, each in part.groups.items()}
    for group_id in sorted(groups):
        yield group_id, groups[group_id]


def _root(number: int, payload: bytes) -> CutRoot | None:
    if not payload:
        return None
    try:
        pointer = decode_pointer(payload)
    except (CorruptionError, RejectedError):
        return None  # that partition says so when it is opened
    if pointer.root is None:
        return None
    return CutRoot(number, root_name(pointer.root.stamp, pointer.root.uid), pointer.tiered_end)
