"""How a broker leaves a cluster that goes on: it hands over what it leads, and its office."""

import asyncio

import structlog

from everlog.model.clock import Clock
from everlog.model.errors import EverlogError
from service.app.replica_wiring import ReplicaSide
from service.coordination.cluster_image import ImageFollower
from service.coordination.controller import Controller
from service.coordination.draining import begin_draining, is_relieved, seats_held
from service.coordination.metadata_store import ConnectionLostError, MetadataStore
from service.model.broker_config import BrokerConfig
from service.model.cluster import Broker

_log = structlog.get_logger(__name__)


class Departure:
    """Has others take over, for as long as ``controlled.shutdown`` allows.

    Args:
        config: Whether, how often, and for how long each time.
        store: The broker's own session.
        images: Tell what it still has.
        controller: This broker's, which may be in office.
        clock: For what it says in the log.
        replicas: What it leads and follows.
    """

    def __init__(
        self,
        config: BrokerConfig,
        broker: Broker,
        *,
        store: MetadataStore,
        images: ImageFollower,
        controller: Controller,
        clock: Clock,
        replicas: ReplicaSide,
    ) -> None:
        self._tries = config.controlled_shutdown_max_retries
        self._try_seconds = config.controlled_shutdown_retry_backoff_ms / 1000
        self._is_wanted = config.controlled_shutdown_enable
        self._broker = broker
        self._store = store
        self._images = images
        self._controller = controller
        self._clock = clock
        self._replicas = replicas

    async def hand_over(self) -> None:
        """Return when others do what this broker did, or when it has waited for long enough.

        It serves meanwhile, and tells clients who leads what it leads no more.
        """
        if not self._is_wanted or len(self._images.image.brokers) <= 1:
            return
        begun = self._clock.monotonic()
        _log.info("draining", partitions=self._left)
        if not await self._is_relieved():
            _log.warning(
                "draining_given_up",
                partitions=self._left,
                seconds=round(self._clock.monotonic() - begun, 3),
                advice="they have no leader until the session of this broker has ended",
            )
            return
        _log.info("drained", seconds=round(self._clock.monotonic() - begun, 3))

    @property
    def _left(self) -> int:
        return seats_held(self._images.image, self._broker)

    async def _is_relieved(self) -> bool:
        for _ in range(self._tries):
            begun = self._clock.monotonic()
            try:
                async with asyncio.timeout(self._try_seconds):
                    await self._try_once()
            except TimeoutError:
                continue
            except ConnectionLostError:
                await asyncio.sleep(max(0.0, begun + self._try_seconds - self._clock.monotonic()))
            except EverlogError as error:
                _log.warning("draining_refused", reason=str(error))
                return False
            else:
                return True
        return False

    async def _try_once(self) -> None:
        self._replicas.note_registration(await begin_draining(self._store, self._broker))
        await self._images.wait_for(lambda image: is_relieved(image, self._broker))
        # Whoever has asked for what was led here is told before its connection is closed.
        await self._replicas.keeper.settled()
        await self._controller.retire()
