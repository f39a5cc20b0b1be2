"""A broker from start to stop.

The order of the start is the order of trust: whose data this is, what the cluster knows, who this
broker is in it, what it leads in this term, and only then its clients. The stop goes back.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine
from typing import Any

import structlog

from service.app.cluster_topics import ClusterTopics
from service.app.cut_wiring import cluster_cuts
from service.app.departure import Departure
from service.app.disk_wiring import disk_watch, hot_store
from service.app.forwarding import controller_link
from service.app.group_wiring import group_coordinator
from service.app.handlers import HandlerServices, build_handlers
from service.app.joining import join_cluster
from service.app.node_failures import RefusalReports, report_defect
from service.app.node_limits import listener_limits
from service.app.office import Office
from service.app.offsets_topic import ClusterOffsetsTopic
from service.app.peers import Peers
from service.app.replica_wiring import ReplicaSide
from service.app.seams import Seams
from service.app.tier_site import TierSite
from service.app.tier_wiring import ColdSide
from service.app.topic_wiring import topic_registry
from service.broker.dispatch import Dispatcher
from service.broker.metadata_view import Images
from service.coordination.broker_configs import BrokerConfigs
from service.coordination.changes import last_sequence
from service.coordination.cluster_image import ImageFollower
from service.coordination.identity import Identity, establish_identity
from service.coordination.leadership import ElectionStats
from service.coordination.metadata_store import MetadataStore
from service.coordination.producer_ids import ProducerIds
from service.coordination.registration import BrokerDescription
from service.groups.coordinator import GroupCoordinator
from service.model.broker_config import BrokerConfig
from service.model.cluster import Broker, ClusterImage, Endpoint
from service.model.serving import Peer
from service.model.setting_type import Value
from service.net.budget import InflightBudget
from service.net.listener import ClientListener
from service.partition.archive_follower import ArchiveFollower
from service.partition.archived_image import ArchivedImage
from service.partition.cluster_cuts import ClusterCuts
from service.partition.contact import Contact
from service.partition.disk_gate import DiskGate
from service.partition.disk_watch import DiskWatch
from service.partition.table import PartitionTable
from service.protocol.api import ApiKey
from service.protocol.headers import RequestHeader
from service.telemetry.stray_cancellation import begin_unbroken

_log = structlog.get_logger(__name__)


class BrokerNode:
    """One broker: `start` once, then it serves until `stop`.

    Args:
        config: Checked settings.
        seams: The world.
        store: A session of the cluster's metadata, this broker's own.
        open_cold_side: Makes the cold side.
        tasks: Owns every task; one that fails takes the broker down.
        boot_id: Of the operating system's start.
        silent_seconds: Time since anybody has answered for the metadata.
    """

    def __init__(
        self,
        *,
        config: BrokerConfig,
        seams: Seams,
        store: MetadataStore,
        open_cold_side: Callable[[TierSite], Awaitable[ColdSide]],
        tasks: asyncio.TaskGroup,
        boot_id: str,
        silent_seconds: Callable[[], float] = float,
    ) -> None:
        self._config = config
        self._seams = seams
        self._store = store
        self._open_cold_side = open_cold_side
        self._tasks = tasks
        self._boot_id = boot_id
        self._contact = Contact(
            silent_seconds=silent_seconds,
            session_seconds=config.zookeeper_session_timeout_ms / 1000,
            clock=seams.clock,
        )
        self._background: list[asyncio.Task[None]] = []
        self._images = ImageFollower(store=store)
        self._visible: Images = lambda: self._images.image
        self._peers = Peers(config, seams, images=lambda: self._images.image)
        self._link = controller_link(config.broker_id, self._peers, lambda: self._images.image)
        self._listeners: dict[str, ClientListener] = {}
        self._dispatcher = Dispatcher(handlers={}, on_defect=report_defect)
        self.is_ready = False
        self.cold: ColdSide | None = None
        self.disk_gate = DiskGate(seams.clock)
        self.disk: DiskWatch | None = None
        self.groups: GroupCoordinator | None = None
        self._cuts: ClusterCuts | None = None
        self.replicas: ReplicaSide | None = None
        self._departure: Departure | None = None
        self.table = PartitionTable()
        self.elections = ElectionStats()
        self.budget = InflightBudget(bytes_max=config.queued_max_request_bytes)
        self.hot = hot_store(config, seams)

    @property
    def image(self) -> ClusterImage:
        """The cluster as this broker knows it."""
        return self._visible()

    @property
    def metadata_sequence(self) -> int:
        """Number of the last change of the cluster that this broker knows."""
        return self._images.sequence

    @property
    def request_counts(self) -> dict[ApiKey, int]:
        """Requests that have come, by API."""
        return self._dispatcher.request_counts

    @property
    def listeners(self) -> Collection[ClientListener]:
        """All of them."""
        return self._listeners.values()

    @property
    def connection_count(self) -> int:
        """Open client connections of all listeners."""
        return sum(listener.connection_count for listener in self._listeners.values())

    async def start(self) -> tuple[Endpoint, ...]:
        """Take this broker's place in the cluster, open its logs, and begin to serve.

        Raises:
            EverlogError: The start is refused; the message says what to do.
        """
        identity = await establish_identity(
            store=self._store,
            disk=self._seams.disk,
            data_dir=self._config.data_dir,
            broker_id=self._config.broker_id,
            ids=self._seams.ids,
            executor=self._seams.read_executor,
        )
        ports = await self._bind()
        endpoints = self._config.endpoints(ports)
        broker, was_clean = await self._register(identity, endpoints)
        office = await self._lead(broker)
        site = self._tier_site(identity.cluster_id)
        cold = self.cold = await self._open_cold_side(site)
        if cold.follower is not None:
            own = self._visible
            self._visible = ArchivedImage(own, cold.follower.table, broker_id=broker.id)
        replicas = await self._open_logs(broker, cold)
        before = {"first_start": True} if identity.is_new else {"last_stop_was_clean": was_clean}
        _log.info("logs_opened", partitions=len(self.table), **before)
        self.disk = disk_watch(self._config, self._seams, self.hot, self.disk_gate, cold.archiver)
        await self.disk.measure()
        self._run(self.disk.run())
        groups = self._serve(office, replicas)
        if cold.follower is None:  # whoever follows has nothing to write down
            self._cuts = cluster_cuts(
                site,
                cold,
                image=lambda: self._images.image,
                defaults=self._topic_defaults,
                groups=groups,
            )
            self._run(self._cuts.run())
        self._departure = Departure(
            self._config,
            broker,
            store=self._store,
            images=self._images,
            controller=office.controller,
            clock=self._seams.clock,
            replicas=replicas,
        )
        for listener in self._listeners.values():
            await listener.start()
        self.is_ready = True
        return endpoints

    async def hand_over(self) -> None:
        """Have others take over while this broker still serves; see `Departure`."""
        self.is_ready = False
        if self._departure is not None:
            await self._departure.hand_over()

    async def stop(self) -> None:
        """Stop serving, make everything durable, and leave the cluster."""
        self.is_ready = False
        for listener in self._listeners.values():
            listener.close()
            listener.close_connections()
        if self._cuts is not None:
            await self._cuts.make_last()
        self._link.close()
        if self.replicas is not None:
            await self.replicas.fetching.close()
        for task in reversed(self._background):
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self.hot.close()
        await self._store.close()

    async def _bind(self) -> dict[str, int]:
        """Bind every listener; nothing is accepted yet, so the ports are only held."""
        ports: dict[str, int] = {}
        limits = listener_limits(self._config)
        on_refused = RefusalReports(self._seams.clock)
        for address in self._config.listeners:
            listener = ClientListener(
                name=address.listener,
                network=self._seams.network,
                serve=self._dispatch,
                budget=self.budget,
                clock=self._seams.clock,
                limits=limits,
                on_refused=on_refused,
            )
            self._listeners[address.listener] = listener
            ports[address.listener] = await listener.bind(address.host, address.port, self._tasks)
            self._run(listener.run())
        return ports

    def _dispatch(self, peer: Peer, header: RequestHeader, frame: memoryview) -> Any:
        return self._dispatcher.serve(peer, header, frame)

    async def _register(
        self, identity: Identity, endpoints: tuple[Endpoint, ...]
    ) -> tuple[Broker, bool]:
        """Register; return this broker, and whether its last stop was a clean one."""
        description = BrokerDescription(
            id=self._config.broker_id,
            endpoints=endpoints,
            directory_id=identity.directory_id,
            boot_id=self._boot_id,
            rack=self._config.broker_rack,
        )
        return await join_cluster(
            self._store,
            description,
            images=self._images,
            hot=self.hot,
            defaults=self._topic_defaults,
        )

    async def _lead(self, broker: Broker) -> Office:
        """Become the controller, and get a new term for everything that this broker leads."""
        office = Office(
            self._config,
            broker,
            store=self._store,
            images=self._images,
            defaults=self._topic_defaults,
            stats=self.elections,
        )
        self._run(self._images.run())
        office.start(self._run)
        await self._images.wait_for(lambda image: image.controller_id is not None)
        if self.image.controller_id == broker.id:
            await office.controller.settled()
        await self._images.reached(await last_sequence(self._store))
        return office

    def _tier_site(self, cluster_id: str) -> TierSite:
        return TierSite(
            config=self._config,
            seams=self._seams,
            metadata=self._store,
            hot=self.hot,
            table=self.table,
            cluster_id=cluster_id,
            run=self._run,
            spawn=self._tasks.create_task,
            scrub_since_ms=self._scrub_since_ms,
        )

    async def _open_logs(self, broker: Broker, cold: ColdSide) -> ReplicaSide:
        replicas = self.replicas = ReplicaSide(
            self._config,
            broker,
            seams=self._seams,
            image=lambda: self._images.image,
            peers=self._peers,
            defaults=self._topic_defaults,
            metadata=self._store,
            hot=self.hot,
            table=self.table,
            cold=cold,
            tasks=self._tasks,
        )
        keeper = replicas.keeper
        # What changes from here on is applied when everything is open.
        self._images.subscribe(keeper.follow)
        await keeper.load(self._images.image)
        cold.records.load(self._images.image, self._topic_defaults)
        self._images.subscribe(cold.follow)
        self._run(cold.records.run())
        self._run(keeper.run())
        self._run(keeper.retry())
        self._run(replicas.moved.run())
        self._run(replicas.isr.run())
        self._run(self.hot.run())
        self._run(
            self.hot.expire_producers(
                expiration_ms=self._config.producer_id_expiration_ms,
                check_ms=self._config.producer_id_expiration_check_interval_ms,
            )
        )
        return replicas

    def _serve(self, office: Office, replicas: ReplicaSide) -> GroupCoordinator:
        """Give requests their meaning; return who has the groups."""
        link, keeper = self._link, replicas.keeper
        topics = topic_registry(
            self._config,
            self._seams,
            store=self._store,
            images=self._images,
            controller=office.controller,
            defaults=self._topic_defaults,
            archive=None if self.cold is None else self.cold.store,
        )
        cluster_topics = ClusterTopics(topics=topics, link=link, images=self._images, keeper=keeper)
        offsets_topic = ClusterOffsetsTopic(
            topics=cluster_topics,
            partitions=self._config.offsets_topic_num_partitions,
            segment_bytes=self._config.offsets_topic_segment_bytes,
        )
        groups = self.groups = group_coordinator(
            self._config,
            self._seams,
            table=self.table,
            images=self._images,
            keeper=keeper,
            disk=self.disk_gate,
            contact=self._contact,
            source=self._follower,
        )
        self._run(groups.run())
        built = build_handlers(
            HandlerServices(
                config=self._config,
                images=self._visible,
                partitions=self.table,
                follower=self._follower,
                copied=replicas.fetching,
                keeper=keeper,
                hot=self.hot,
                disk_gate=self.disk_gate,
                contact=self._contact,
                topics=topics,
                cluster_topics=cluster_topics,
                controller_link=link,
                office=office,
                broker_configs=BrokerConfigs(
                    store=self._store, images=self._images, controller=office.controller
                ),
                groups=groups,
                offsets_topic=offsets_topic,
                producer_ids=ProducerIds(store=self._store, broker_id=self._config.broker_id),
                clock=self._seams.clock,
                ids=self._seams.ids,
                disk=self._seams.disk,
                executor=self._seams.read_executor,
                spawn=self._tasks.create_task,
            )
        )
        self._run(built.produce.run())
        self._dispatcher = Dispatcher(handlers=built.by_key, on_defect=report_defect)
        return groups

    @property
    def _follower(self) -> ArchiveFollower | None:
        return None if self.cold is None else self.cold.follower

    def _topic_defaults(self) -> dict[str, Value]:
        return self._config.layers(self._images.image.broker_configs).topic_defaults()

    def _scrub_since_ms(self) -> int:
        layers = self._config.layers(self._images.image.broker_configs)
        return int(str(layers.broker_value("archive.scrub.since.ms")))

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        self._background.append(begin_unbroken(self._tasks, work))
