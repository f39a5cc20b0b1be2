"""Storage classes that topics ask for, where the archive is in a store that has some."""

import structlog

from everlog.format.object_keys import PartitionPath
from everlog.model.ids import TopicId
from service.model.topic_config import TopicConfig
from service.tiering.class_rules import ClassRules

_NONE = ClassRules()

_log = structlog.get_logger(__name__)


class TopicClasses:
    """What holds for each topic.

    Args:
        has_classes: Whether the store has any. A topic's settings come along when an archive is
            copied into a directory, and must not keep it from being used there; so they are passed
            over, and that is said once.
    """

    def __init__(self, *, has_classes: bool) -> None:
        self._has_classes = has_classes
        self._told: set[TopicId] = set()

    def of(self, path: PartitionPath, config: TopicConfig) -> ClassRules:
        """Return which classes the objects of a partition get, given its topic's settings."""
        asked = class_rules(config)
        if self._has_classes or asked == _NONE:
            return asked
        topic_id = path.topic_id
        if topic_id not in self._told:
            self._told.add(topic_id)
            _log.warning(
                "storage_class_not_used",
                topic_id=topic_id.hex(),
                reason="the archive is in a directory, and only buckets have storage classes",
                advice="remove remote.storage.class and remote.storage.class.later of the topic",
            )
        return _NONE


def class_rules(config: TopicConfig) -> ClassRules:
    """Return what the settings of a topic ask for."""
    later, later_ms = config.storage_class_later, config.storage_class_later_ms
    if later is None or later_ms is None:
        return ClassRules(new=config.storage_class)
    return ClassRules(new=config.storage_class, later=later, later_ms=later_ms)
