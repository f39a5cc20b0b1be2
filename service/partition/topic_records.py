"""Keeps the records of topics in the store in step with the cluster's metadata.

A topic's creation never waits for it: what has changed is noted, and written as soon as the store
takes it, however often that has to be tried. A record is named by the owner of the store and the
topic's version in the metadata, so whoever writes it twice, or late, changes nothing.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping

import structlog

from everlog.format.topic_record import TopicRecord
from everlog.model.clock import Clock
from everlog.model.errors import EverlogError
from everlog.model.ids import TopicId
from service.coordination.image_delta import ImageDelta
from service.model.cluster import EMPTY_IMAGE, ClusterImage, TopicImage
from service.model.config_definition import InvalidConfigError
from service.model.setting_type import Value
from service.model.topic_config import TopicConfig
from service.tiering.topic_objects import TopicObjects

RETRY_SECONDS = 5.0
"""Between two attempts at a store that does not take a record."""

_log = structlog.get_logger(__name__)


class TopicRecords:
    """Writes a record of every topic that is tiered, or ever was.

    Args:
        owner: Number of the owner of the store; asked only once the store has answered.
    """

    def __init__(
        self,
        objects: TopicObjects,
        *,
        owner: Callable[[], int],
        clock: Clock,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self._objects = objects
        self._owner = owner
        self._clock = clock
        self._retry_seconds = retry_seconds
        self._image = EMPTY_IMAGE
        self._defaults: Callable[[], Mapping[str, Value]] = dict
        self._due: dict[TopicId, None] = {}
        self._written: dict[TopicId, tuple[int, int]] = {}
        self._woken = asyncio.Event()
        self._problem: str | None = None

    def load(self, image: ClusterImage, defaults: Callable[[], Mapping[str, Value]]) -> None:
        """Begin with an image; ``defaults`` gives the broker's values for every topic setting."""
        self._image = image
        self._defaults = defaults
        self._note(image.topics.values())

    def follow(self, delta: ImageDelta) -> None:
        """Take note of a change."""
        self._image = delta.image
        for topic in delta.topics_deleted:
            self._written.pop(topic.topic_id, None)
        self._note((*delta.topics_created, *delta.topics_changed))
        if delta.configs_changed:
            self._note(delta.image.topics.values())

    async def run(self) -> None:
        """Write what is due, until cancelled."""
        has_stock = False
        while True:
            try:
                if not has_stock:
                    await self._take_stock()
                    has_stock = True
                await self._write_due()
            except EverlogError as error:
                self._complain(str(error))
                await asyncio.sleep(self._retry_seconds)
                continue
            self._problem = None
            await self._woken.wait()
            self._woken.clear()

    def _note(self, topics: Iterable[TopicImage]) -> None:
        self._due.update((topic.topic_id, None) for topic in topics)
        self._woken.set()

    async def _take_stock(self) -> None:
        """Find out what is written already."""
        for topic_id, names in (await self._objects.all()).items():
            if names.records:
                newest = names.records[-1]
                self._written[topic_id] = newest.owner, newest.version

    async def _write_due(self) -> None:
        while self._due:
            topic_id = next(iter(self._due))
            topic = self._image.topic_by_id(topic_id)
            del self._due[topic_id]
            if topic is None or not self._is_wanted(topic):
                # Ten thousand topics that are all written must not hold the loop up.
                await asyncio.sleep(0)
                continue
            try:
                await self._write(topic)
            except BaseException:
                self._due[topic_id] = None
                raise

    def _is_wanted(self, topic: TopicImage) -> bool:
        written = self._written.get(topic.topic_id)
        if written is not None:
            return written != (self._owner(), topic.revision)
        if topic.versions_before:
            return True  # it has an archive, or it would not have come back
        try:
            return TopicConfig.resolve(topic.config, self._defaults()).tiered
        except InvalidConfigError:
            return True  # its partitions are offline, and may have objects

    async def _write(self, topic: TopicImage) -> None:
        record = TopicRecord(
            name=topic.name,
            topic_id=topic.topic_id,
            partitions=len(topic.partitions),
            config=topic.config,
            created_ms=self._clock.wall_ms(),
            extra=topic.extra,
        )
        owner = self._owner()
        key = await self._objects.put(record, owner=owner, version=topic.revision)
        if self._image.topic_by_id(topic.topic_id) is None:
            # Deleted meanwhile; whoever collects its objects may have gone past its records.
            await self._objects.remove(key)
            return
        is_first = topic.topic_id not in self._written
        if topic.versions_before:
            # This record overrules it; it is in nobody's way, and of no use.
            await self._objects.unmark(topic.topic_id, owner=owner, version=topic.revision)
        self._written[topic.topic_id] = owner, topic.revision
        if not is_first:
            await self._objects.prune(topic.topic_id)

    def _complain(self, reason: str) -> None:
        if reason != self._problem:
            advice = "a restore from the store would not know the newest settings of topics"
            _log.warning("topic_records_not_written", reason=reason, advice=advice)
        self._problem = reason
