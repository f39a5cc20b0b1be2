"""Runs one broker process: from a configuration to a signal that ends it."""

import asyncio
import gc
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import structlog
import uvloop

from service.app.admin import start_admin
from service.app.data_lock import DataLock
from service.app.following import open_followed_side
from service.app.gateway_process import GatewayProcess
from service.app.metadata import open_metadata
from service.app.node import BrokerNode
from service.app.seams import Seams, raise_descriptor_limit, system_seams
from service.app.sync_ledger import boot_id
from service.app.tier_wiring import open_cold_side
from service.coordination.metadata_store import SessionExpiredError
from service.model.broker_config import BrokerConfig
from service.model.cluster import Endpoint
from service.telemetry.watchdog import Watchdog

STOP_SECONDS_MAX = 8.0
"""A stop that takes longer is cut short; the next start recovers, as after a crash."""

_log = structlog.get_logger(__name__)

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _StoppedError(Exception):
    """Ends the group of all tasks after an orderly stop."""


OnReady = Callable[[tuple[Endpoint, ...], int], None]
"""Told once when clients are served: where, and the port of the broker's own HTTP."""


def run_broker(
    config: BrokerConfig, *, on_ready: OnReady, gateway: GatewayProcess | None = None
) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        config: Checked settings.
        on_ready: Told once when clients are served.
        gateway: Kept running beside the broker, if given.

    Raises:
        EverlogError: The start is refused; the message says what to do.
    """
    raise_descriptor_limit()
    for number in _STOP_SIGNALS:
        # Until clients are served there is nothing to finish: a start may end like a crash.
        signal.signal(number, signal.SIG_DFL)
    # Requests make few cycles; what the start has made lives as long as the process.
    gc.set_threshold(50_000, 20, 50)
    with DataLock(config.data_dir), _alone():
        uvloop.run(_serve(config, on_ready, gateway, boot_id=boot_id(os.environ)))


@contextmanager
def _alone() -> Iterator[None]:
    """Take an error out of its group: the only one, or the end of the session behind all others."""
    try:
        yield
    except BaseExceptionGroup as group:
        ended = group.subgroup(SessionExpiredError)
        leaf: BaseException = ended or group
        while isinstance(leaf, BaseExceptionGroup) and (ended or len(leaf.exceptions) == 1):
            leaf = leaf.exceptions[0]
        raise leaf from None


async def _serve(
    config: BrokerConfig, on_ready: OnReady, gateway: GatewayProcess | None, *, boot_id: str
) -> None:
    seams = system_seams(flush_threads=config.flush_threads, read_threads=config.read_threads)
    watchdog = _watchdog(config, seams)
    stopped = asyncio.Event()
    try:
        async with open_metadata(config, seams) as metadata, asyncio.TaskGroup() as tasks:
            node = BrokerNode(
                config=config,
                seams=seams,
                store=metadata.store,
                open_cold_side=(open_followed_side if config.archive_read_only else open_cold_side),
                tasks=tasks,
                boot_id=boot_id,
                silent_seconds=metadata.silent_seconds,
            )
            endpoints = await node.start()
            admin = await start_admin(node, config, seams, metadata, watchdog)
            admin_address = f"{config.admin_host}:{admin.port}"
            gc.freeze()
            for number in _STOP_SIGNALS:
                asyncio.get_running_loop().add_signal_handler(number, stopped.set)
            beside = []
            if gateway is not None:
                bootstrap = f"{endpoints[0].host}:{endpoints[0].port}"
                beside.append(tasks.create_task(gateway.run(bootstrap, admin_address)))
            if watchdog is not None:
                watchdog.arm(metadata.deadlines)
            _log.info("broker_ready", admin=f"http://{admin_address}")
            on_ready(endpoints, admin.port)
            await stopped.wait()
            await _hand_over(node, stopped)
            admin.close()
            await _stop(node, beside)
            raise _StoppedError  # noqa: TRY301  (an error is what ends a TaskGroup)
    except* _StoppedError:
        pass  # the group has cancelled whatever was left
    finally:
        if watchdog is not None:
            watchdog.stop()


def _watchdog(config: BrokerConfig, seams: Seams) -> Watchdog | None:
    """Begin to watch this loop, if that is wanted."""
    if not config.watchdog_enable:
        return None
    watchdog = Watchdog(clock=seams.clock, warn_seconds=config.watchdog_warn_ms / 1000)
    watchdog.start()
    return watchdog


async def _hand_over(node: BrokerNode, stopped: asyncio.Event) -> None:
    """Have others take over, unless a second signal says that there is no time for that."""
    stopped.clear()
    handing = asyncio.ensure_future(node.hand_over())
    waiting = asyncio.ensure_future(stopped.wait())
    await asyncio.wait([handing, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not handing.done():
        _log.warning("draining_cut_short", advice="what it leads has no leader for a while")
        handing.cancel()
    await asyncio.gather(handing, waiting, return_exceptions=True)
    if not handing.cancelled() and (error := handing.exception()) is not None:
        raise error


async def _stop(node: BrokerNode, beside: Sequence[asyncio.Task[None]]) -> None:
    for task in beside:
        task.cancel()
    try:
        async with asyncio.timeout(STOP_SECONDS_MAX):
            await node.stop()
            await asyncio.gather(*beside, return_exceptions=True)
    except TimeoutError:
        _log.error("stop_cut_short", seconds=STOP_SECONDS_MAX, advice="the next start recovers")
