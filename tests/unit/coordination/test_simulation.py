"""Coordination on the simulator's loop and disk: crash, start again, and nothing is lost."""

import asyncio
import random

import pytest

from everlog.model.errors import EverlogError
from everlog.model.ids import NodeId, TopicName, id_text
from service.coordination.cluster_image import ImageFollower
from service.coordination.controller import Controller
from service.coordination.embedded.store import EmbeddedStore, open_tree
from service.coordination.identity import establish_identity
from service.coordination.registration import register_broker
from service.coordination.topic_plan import MorePartitions, NewTopic, TopicDefaults
from service.coordination.topics import TopicRegistry
from service.model.cluster import TopicImage
from tests.simulation.clock import SeededIds
from tests.simulation.disk import SimDisk
from tests.simulation.loop import LoopClock, SimLoop, run_simulated
from tests.unit.coordination.stage import check_config, description

STARTS = 4


class Model:
    """What must, and what may, be in the cluster."""

    def __init__(self) -> None:
        self.sure: dict[str, int] = {}
        self.maybe: dict[str, set[int | None]] = {}

    def begin(self, name: str, partitions: int | None) -> None:
        self.maybe.setdefault(name, {self.sure.get(name)}).add(partitions)

    def end(self, name: str, partitions: int | None) -> None:
        self.maybe.pop(name, None)
        if partitions is None:
            self.sure.pop(name, None)
        else:
            self.sure[name] = partitions

    def check(self, found: dict[str, int]) -> None:
        for name in {*self.sure, *self.maybe, *found}:
            allowed = self.maybe.get(name, {self.sure.get(name)})
            assert found.get(name) in allowed, name
            self.end(name, found.get(name))


async def _work(topics: TopicRegistry, model: Model, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 8)):
        name = f"t{rng.randint(0, 5)}"
        held = model.sure.get(name)
        if held is None:
            wanted: int | None = rng.choice([1, 3, 300])
        else:
            wanted = rng.choice([None, held + rng.choice([1, 300])])
        model.begin(name, wanted)
        outcome = await _change(topics, TopicName(name), held, wanted)
        assert isinstance(outcome, TopicImage), outcome
        model.end(name, wanted)


async def _change(
    topics: TopicRegistry, name: TopicName, held: int | None, wanted: int | None
) -> TopicImage | EverlogError:
    if wanted is None:
        return (await topics.delete_topics([name]))[0]
    if held is None:
        return (await topics.create_topics([NewTopic(name=name, partitions=wanted)]))[0]
    return (await topics.create_partitions([MorePartitions(name=name, partitions=wanted)]))[0]


async def _life(loop: SimLoop, disk: SimDisk, model: Model, start: int) -> None:
    """Start a broker, check what it finds, and work until it is killed."""
    disk.make_dirs("/data")
    ids = SeededIds(loop.rng.randint(0, 1 << 30))
    server = await open_tree(
        disk=disk, directory="/data/metadata", executor=None, log_bytes_min=20_000
    )
    store = await EmbeddedStore.connect(server)
    identity = await establish_identity(
        store=store, disk=disk, data_dir="/data", broker_id=NodeId(1), ids=ids, executor=None
    )
    assert len(identity.directory_id) == 16
    broker = await register_broker(store, description(1))
    images = ImageFollower(store=store)
    controller = Controller(store=store, images=images, broker=broker)
    topics = TopicRegistry(
        store=store,
        images=images,
        controller=controller,
        clock=LoopClock(loop),
        ids=ids,
        check_config=check_config,
        defaults=TopicDefaults(),
    )
    await images.load()
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(images.run()), tasks.create_task(controller.run())]
        await controller.settled()
        image = images.image
        model.check({name: len(topic.partitions) for name, topic in image.topics.items()})
        for topic in image.topics.values():
            assert all(state.is_led_by(broker.id, broker.epoch) for state in topic.partitions)
        known = {id_text(topic_id) for topic_id in image.names}
        known |= set(await store.children("/deleted_topics"))
        assert set(await store.children("/partitions")) == known, "nothing is left of the others"
        working = tasks.create_task(_work(topics, model, loop.rng))
        if start < STARTS - 1:
            await asyncio.wait([working], timeout=loop.rng.uniform(0, 0.2))
        else:
            await working
        for task in [working, *running]:
            task.cancel()


@pytest.mark.rule("BP-D17")
@pytest.mark.parametrize("seed", range(8))
def test_a_broker_killed_at_any_moment_finds_what_it_had_acknowledged(seed: int) -> None:
    async def main(loop: SimLoop) -> None:
        disk, model = SimDisk(), Model()
        for start in range(STARTS):
            await _life(loop, disk, model, start)
            disk = disk.after_crash(loop.rng)

    run_simulated(seed, main)
