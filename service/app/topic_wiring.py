"""Puts together what changes topics."""

from collections.abc import Callable, Mapping

from everlog.stores.object_store import ObjectStore
from service.app.lock_check import LockCheck
from service.app.seams import Seams
from service.coordination.cluster_image import ImageFollower
from service.coordination.controller import Controller
from service.coordination.metadata_store import MetadataStore
from service.coordination.topic_plan import TopicDefaults
from service.coordination.topics import TopicRegistry
from service.model.broker_config import BrokerConfig
from service.model.setting_type import Value
from service.model.topic_config import TopicConfig, validate_overrides


def topic_registry(
    config: BrokerConfig,
    seams: Seams,
    *,
    store: MetadataStore,
    images: ImageFollower,
    controller: Controller,
    defaults: Callable[[], Mapping[str, Value]],
    archive: ObjectStore | None,
) -> TopicRegistry:
    """Make the registry; ``defaults`` gives the broker's values for every topic setting."""
    is_given = "default.replication.factor" in config.given
    return TopicRegistry(
        store=store,
        images=images,
        controller=controller,
        clock=seams.clock,
        ids=seams.ids,
        resolve=lambda overrides: TopicConfig.resolve(overrides, defaults()),
        check_config=lambda overrides: validate_overrides(overrides, defaults()),
        ask_store=None if archive is None else LockCheck(archive),
        defaults=TopicDefaults(
            partitions=config.num_partitions,
            replication_factor=config.default_replication_factor if is_given else None,
        ),
    )
