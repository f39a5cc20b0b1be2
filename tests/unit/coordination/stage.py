"""A cluster of brokers' coordination parts, over one tree in memory."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from everlog.model.errors import EverlogError, RejectedError
from everlog.model.ids import NodeId, PartitionId, TopicName
from service.coordination.broker_configs import BrokerConfigs
from service.coordination.changes import publish
from service.coordination.cluster_image import ImageFollower
from service.coordination.controller import Controller
from service.coordination.embedded.server import TreeServer
from service.coordination.embedded.store import EmbeddedStore, open_tree
from service.coordination.identity import establish_identity
from service.coordination.image_delta import ImageDelta
from service.coordination.leadership import RulesOf, default_rules
from service.coordination.metadata_store import MetadataStore, Op, Result
from service.coordination.registration import BrokerDescription, register_broker
from service.coordination.topic_edits import new_state
from service.coordination.topic_plan import AskStore, NewTopic, TopicDefaults
from service.coordination.topic_work import Outcome
from service.coordination.topics import TopicRegistry
from service.model.cluster import Broker, ClusterImage, Endpoint, PartitionState, TopicImage
from tests.simulation.clock import ManualClock, SeededIds
from tests.unit.coordination.memory_disk import InlineExecutor, MemoryDisk

REFUSED_CONFIG = "no.such.setting"


def check_config(config: Mapping[str, str]) -> None:
    if REFUSED_CONFIG in config:
        raise RejectedError(REFUSED_CONFIG)


def description(
    broker_id: int, *, directory: int | None = None, rack: str | None = None
) -> BrokerDescription:
    number = broker_id if directory is None else directory
    return BrokerDescription(
        id=NodeId(broker_id),
        endpoints=(
            Endpoint(listener="PLAINTEXT", host=f"b{broker_id}", port=9092, security="PLAINTEXT"),
        ),
        directory_id=bytes([number]) * 16,
        boot_id="boot",
        rack=rack,
    )


async def open_server(disk: MemoryDisk | None = None) -> TreeServer:
    return await open_tree(disk=disk or MemoryDisk(), directory="/m", executor=InlineExecutor())


async def founded(server: TreeServer | None = None) -> EmbeddedStore:
    """Return a session with a tree that has everything a cluster has from its first start."""
    store = await EmbeddedStore.connect(server or await open_server())
    await establish_identity(
        store=store,
        disk=MemoryDisk(),
        data_dir="/data",
        broker_id=NodeId(1),
        ids=SeededIds(7),
        executor=InlineExecutor(),
    )
    return store


Interruption = Callable[[], Awaitable[object]]


class InterruptedStore:
    """Passes calls on; before its next multis, something else happens first."""

    def __init__(self, store: MetadataStore) -> None:
        self._store = store
        self.interruptions: list[Interruption] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def multi(self, ops: Sequence[Op]) -> list[Result]:
        if self.interruptions:
            await self.interruptions.pop(0)()
        return await self._store.multi(ops)


@dataclass
class Stage:
    """One running broker's parts."""

    server: TreeServer
    store: MetadataStore
    images: ImageFollower
    controller: Controller
    topics: TopicRegistry
    configs: BrokerConfigs
    broker: Broker
    interruptions: list[Interruption]
    deltas: list[ImageDelta] = field(default_factory=list)

    @property
    def image(self) -> ClusterImage:
        return self.images.image

    def topic(self, name: str) -> TopicImage:
        found = self.image.topic(TopicName(name))
        assert found is not None
        return found

    async def create(self, name: str, **what: object) -> TopicImage:
        (outcome,) = await self.topics.create_topics([new_topic(name, **what)])
        assert not isinstance(outcome, EverlogError), outcome
        return outcome

    async def write_state(self, topic: str, state: PartitionState) -> None:
        """Store the state of a topic's first partition past everybody, and wait for it."""
        edit = new_state(PartitionId(self.topic(topic).topic_id, 0), state)
        await self.images.reached(await publish(self.store, checks=[], edits=[edit]))


def new_topic(name: str, **what: object) -> NewTopic:
    return NewTopic(name=TopicName(name), **what)  # type: ignore[arg-type]


def errors(outcomes: list[Outcome]) -> list[type[EverlogError] | None]:
    return [type(each) if isinstance(each, EverlogError) else None for each in outcomes]


@asynccontextmanager
async def running(
    server: TreeServer | None = None,
    *,
    broker_id: int = 1,
    rack: str | None = None,
    seed: int = 0,
    defaults: TopicDefaults | None = None,
    ask_store: AskStore | None = None,
    rules_of: RulesOf = default_rules,
) -> AsyncIterator[Stage]:
    """Start a broker's coordination, found the cluster if need be, and stop it at the end."""
    server = server or await open_server()
    store = await founded(server)
    broker = await register_broker(store, description(broker_id, rack=rack))
    images = ImageFollower(store=store)
    controller = Controller(
        store=store, images=images, broker=broker, rules_of=rules_of, retry_seconds=0.0
    )
    interrupted = InterruptedStore(store)
    topics = TopicRegistry(
        store=cast(MetadataStore, interrupted),
        images=images,
        controller=controller,
        clock=ManualClock(),
        ids=SeededIds(100 * broker_id + seed),
        check_config=check_config,
        defaults=defaults or TopicDefaults(),
        ask_store=ask_store,
    )
    configs = BrokerConfigs(store=store, images=images, controller=controller)
    stage = Stage(
        server, store, images, controller, topics, configs, broker, interrupted.interruptions
    )
    images.subscribe(stage.deltas.append)
    await images.load()
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        following = tasks.create_task(images.run())
        leading = tasks.create_task(controller.run())
        await images.wait_for(lambda image: image.controller_id is not None)
        if images.image.controller_id == broker_id:
            await controller.settled()
        yield stage
        leading.cancel()
        following.cancel()


async def nothing(_term: object) -> None:
    return
