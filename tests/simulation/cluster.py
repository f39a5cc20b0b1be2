"""Several brokers, the very code of production, over virtual time and one tree."""

import asyncio
from contextlib import suppress

from everlog.model.ids import TopicName
from everlog.stores.memory import MemoryObjectStore
from service.app.node import BrokerNode
from service.app.seams import Seams
from service.app.tier_site import TierSite
from service.app.tier_wiring import ColdSide, Making, assemble
from service.coordination.embedded.server import TreeServer
from service.coordination.embedded.store import EmbeddedStore, open_tree
from service.model.broker_config import BrokerConfig, GivenValue, Origin
from service.protocol.api import ApiKey
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.metadata import MetadataRequest, MetadataRequestTopic
from service.protocol.schema import Request
from service.tiering.rewrite import merged_in_process
from service.tiering.uploader import in_process
from tests.simulation.client import DisconnectedError, SimClient
from tests.simulation.clock import SeededIds
from tests.simulation.disk import SimDisk
from tests.simulation.loop import LoopClock, SimLoop
from tests.simulation.network import SimHost, SimNetwork
from tests.simulation.processor import ProcessorForOne

FIRST_PORT = 9092
SESSION_SECONDS = 2.0
"""So long after its death a broker is missed."""

RETRY_SECONDS = 0.05


async def without_uploads(site: TierSite) -> ColdSide:
    """Topics are not tiered here: objects are sealed from files of the system, not of this disk."""
    store = MemoryObjectStore(clock=site.seams.clock)
    making = Making(upload=in_process(store), merge=merged_in_process(store))
    return await assemble(site, store, making)


class Machine:
    """One broker's machine: its disk outlives it."""

    def __init__(self, cluster: "Cluster", number: int, settings: dict[str, str]) -> None:
        self.port = FIRST_PORT + number
        self.number = number
        self.disk = SimDisk()
        self.disk.make_dirs("/data")
        self.is_up = False
        self.boots = 0
        self.node: BrokerNode | None = None
        self._cluster = cluster
        self._host = SimHost(cluster.network)
        self._tasks: asyncio.TaskGroup | None = None
        self._store: EmbeddedStore | None = None
        texts = {
            "broker.id": str(number),
            "data.dir": "/data",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "remote.storage.enable": "false",
            **settings,
        }
        self._config = BrokerConfig.of(
            {
                name: GivenValue(text=text, where="simulation", origin=Origin.COMMAND)
                for name, text in texts.items()
            }
        )

    async def start(self) -> None:
        """Start the broker, and wait until it serves."""
        loop = self._cluster.loop
        is_ready: asyncio.Future[None] = loop.create_future()
        life = loop.create_task(self._live(is_ready))
        self._cluster.lives.append(life)
        await asyncio.wait([is_ready, life], return_when=asyncio.FIRST_COMPLETED)
        if life.done():
            await life
        self.is_up = True

    async def cut_power(self) -> None:
        """End the broker without a farewell; its disk keeps what was synced and some more.

        Its session lives on for a while, unless the broker is back before.
        """
        self.boots += 1
        await self._end(self.disk.after_crash(self._cluster.loop.rng))

    async def stop(self) -> None:
        """Let the broker hand over what it leads, and leave in order; its disk keeps all."""
        assert self.node is not None
        await self.node.hand_over()
        await self.node.stop()
        await self._end(self.disk.after_crash(self._cluster.loop.rng))

    async def kill(self) -> None:
        """End the broker alone: what it has written is there, synced or not."""
        await self._end(self.disk.after_kill())

    async def wipe(self) -> None:
        """End the broker, and put an empty disk in the place of its own."""
        disk = SimDisk()
        disk.make_dirs("/data")
        await self._end(disk)

    def is_relieved(self, topic: str) -> bool:
        """Whether the broker has found itself without the lead of a topic, and out of its ISR."""
        assert self.node is not None
        found = self.node.image.topic(TopicName(topic))
        assert found is not None
        return all(self.number not in {each.leader, *each.isr} for each in found.partitions)

    async def _end(self, disk: SimDisk) -> None:
        assert self._tasks is not None
        self._host.kill()
        self.disk, self.is_up = disk, False
        # The group itself stays: what was scheduled may still begin something, on the old disk.
        running = list(self._tasks._tasks)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
        if self._store is not None:
            self._cluster.expire_later(self._store.session_id)

    async def _live(self, is_ready: "asyncio.Future[None]") -> None:
        cluster = self._cluster
        seams = Seams(
            clock=LoopClock(cluster.loop),
            ids=cluster.ids,
            disk=self.disk,
            network=self._host,
            processor=ProcessorForOne(),
            flush_executor=None,
            read_executor=None,
        )
        self._store = await EmbeddedStore.connect(cluster.tree)
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            self.node = BrokerNode(
                config=self._config,
                seams=seams,
                store=self._store,
                open_cold_side=without_uploads,
                tasks=tasks,
                boot_id=f"{self.number}-{self.boots}",
            )
            await self.node.start()
            is_ready.set_result(None)
            await asyncio.Event().wait()


class Cluster:
    """Machines, a network between them, and the tree that they agree by."""

    def __init__(self, loop: SimLoop, *, brokers: int = 3, **settings: str) -> None:
        self.loop = loop
        self.network = SimNetwork(loop, loop.rng)
        self.ids = SeededIds(loop.rng.randrange(1 << 30))
        self.tree: TreeServer
        texts = {name.replace("_", "."): text for name, text in settings.items()}
        self.machines = [Machine(self, number, texts) for number in range(1, brokers + 1)]
        self.lives: list[asyncio.Task[None]] = []
        self._endings: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Start the tree and every broker."""
        disk = SimDisk()
        disk.make_dirs("/tree")
        self.tree = await open_tree(disk=disk, directory="/tree", executor=None)
        for machine in self.machines:
            await machine.start()

    async def stop(self) -> None:
        """End everything at once."""
        for machine in self.machines:
            if machine.is_up:
                await machine.cut_power()
        for task in (*self.lives, *self._endings):
            task.cancel()
        await asyncio.gather(*self.lives, return_exceptions=True)
        await self.tree.close()

    def in_sync(self, topic: str) -> int:
        """Return how many replicas of its first partition are in sync, as all brokers see it."""
        found = []
        for machine in self.machines:
            assert machine.node is not None
            image = machine.node.image.topic(TopicName(topic))
            found.append(len(image.partitions[0].isr) if image and machine.is_up else 0)
        return min(found)

    def expire_later(self, session: int) -> None:
        """End a session that nobody keeps alive any more."""

        async def expire() -> None:
            await asyncio.sleep(SESSION_SECONDS)
            await self.tree.end_session(session)

        task = self.loop.create_task(expire())
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)


class ClusterClient:
    """A client that looks for the leader of one partition again and again."""

    def __init__(self, cluster: Cluster, topic: str, partition: int = 0) -> None:
        self._cluster = cluster
        self._topic = topic
        self._partition = partition
        self._clients = {
            machine.number: SimClient(cluster.network, machine.port) for machine in cluster.machines
        }

    async def create_topic(self) -> None:
        """Have the topic created with the defaults of the brokers."""
        while await self.leader() is None:
            await asyncio.sleep(RETRY_SECONDS)

    async def leader(self) -> int | None:
        """Ask any broker who leads the partition; None if it does not know of any."""
        wanted = MetadataRequest(topics=[MetadataRequestTopic(name=self._topic)])
        numbers = list(self._clients)
        self._cluster.loop.rng.shuffle(numbers)
        for number in numbers:
            with suppress(DisconnectedError):
                answer = await self._clients[number].request(ApiKey.METADATA, 9, wanted)
                (topic,) = answer.topics
                for each in topic.partitions:
                    if each.partition_index == self._partition and each.leader_id >= 0:
                        return int(each.leader_id)
        return None

    async def ask_leader(self, key: ApiKey, version: int, request: Request) -> object:
        """Send a request to the leader, and return its answer.

        Raises:
            DisconnectedError: There is none, or it does not answer.
        """
        leader = await self.leader()
        if leader is None:
            raise DisconnectedError
        return await self._clients[leader].request(key, version, request)


def is_passing(code: int) -> bool:
    """Whether a producer tries again after such an error."""
    return code in {
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.NOT_LEADER_OR_FOLLOWER,
        ErrorCode.LEADER_NOT_AVAILABLE,
        ErrorCode.NOT_ENOUGH_REPLICAS,
        ErrorCode.OFFSET_NOT_AVAILABLE,
        ErrorCode.REQUEST_TIMED_OUT,
        ErrorCode.KAFKA_STORAGE_ERROR,
    }
