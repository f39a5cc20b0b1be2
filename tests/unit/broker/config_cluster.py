"""A cluster in memory, for what describes and alters settings."""

from collections.abc import Mapping
from dataclasses import replace

from everlog.model.errors import EverlogError
from everlog.model.ids import NodeId, TopicId, TopicName
from service.broker.config_altering import ChangeConfig
from service.broker.context import RequestContext
from service.model.broker_config import BrokerConfig, GivenValue, Origin
from service.model.cluster import EMPTY_IMAGE, ClusterImage, TopicImage

OWN_ID = 7


def broker_config(**values: str) -> BrokerConfig:
    """Make a configuration; ``_`` stands for each dot of a name."""
    given = {"broker.id": str(OWN_ID)} | {
        name.replace("_", "."): text for name, text in values.items()
    }
    return BrokerConfig.of(
        {
            name: GivenValue(text=text, origin=Origin.FILE, where="broker.toml")
            for name, text in given.items()
        }
    )


def request_context(api_version: int = 4) -> RequestContext:
    return RequestContext(api_version, "tests", "/127.0.0.1", 1, "PLAINTEXT")


class ConfigCluster:
    """Topics, and the settings of brokers: both stores of settings, visible at once.

    Attributes:
        image: The newest one.
        races: What somebody else has written first, each time a change is made.
        failure: What every write is answered with; None when it is taken.
        writes: How many were made.
    """

    def __init__(
        self,
        topics: Mapping[str, Mapping[str, str]] | None = None,
        *,
        brokers: int = 1,
        dynamic: Mapping[NodeId | None, Mapping[str, str]] | None = None,
    ) -> None:
        self.image: ClusterImage = replace(
            EMPTY_IMAGE,
            topics={
                TopicName(name): TopicImage(
                    name=TopicName(name),
                    topic_id=TopicId(name.encode().ljust(16, b".")),
                    config=config,
                    partitions=(),
                    version=0,
                )
                for name, config in (topics or {}).items()
            },
            racks={NodeId(OWN_ID + number): None for number in range(brokers)},
            broker_configs=dynamic or {},
        )
        self.races: list[Mapping[str, str]] = []
        self.failure: EverlogError | None = None
        self.writes = 0

    def images(self) -> ClusterImage:
        return self.image

    def topic(self, name: str) -> Mapping[str, str]:
        return self.image.topics[TopicName(name)].config

    def broker(self, broker: int | None) -> Mapping[str, str]:
        return self.image.broker_configs[None if broker is None else NodeId(broker)]

    async def alter_topic_config(self, name: TopicName, change: ChangeConfig) -> None:
        topic = self.image.topics[name]
        config = self._altered(topic.config, change)
        self.image = replace(
            self.image, topics={**self.image.topics, name: replace(topic, config=config)}
        )

    async def alter(self, broker_id: NodeId | None, change: ChangeConfig) -> None:
        configs = self.image.broker_configs
        config = self._altered(configs.get(broker_id, {}), change)
        self.image = replace(self.image, broker_configs={**configs, broker_id: config})

    def _altered(self, current: Mapping[str, str], change: ChangeConfig) -> Mapping[str, str]:
        if self.failure is not None:
            raise self.failure
        for newer in self.races:
            change(current)
            current = newer
        self.writes += 1
        return change(current)
