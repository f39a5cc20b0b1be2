"""Second composition root: the transfer process, which alone opens the object store.

``python -m service.app.transfer_worker DESCRIPTOR URL PROBE LOG_LEVEL LOG_FORMAT`` serves the
channel that it has inherited under that descriptor, until the broker is gone. PROBE names the
object with which it tries the store out; where it is empty the store is only read.
"""

import asyncio
import os
import socket
import sys
from dataclasses import asdict

import structlog

from everlog.model.errors import EverlogError, RetriableError
from everlog.stores.adaptive_limit import AdaptiveObjectStore, CallLimit
from everlog.stores.backoff import RetryPolicy
from everlog.stores.object_key import ObjectKey, object_key
from everlog.stores.object_store import ObjectStore
from everlog.stores.retrying import RetryingObjectStore
from everlog.stores.url import open_store
from service.app.system import SystemClock, SystemIds
from service.telemetry.logs import configure_logs
from service.tiering.worker.downloads import Downloads
from service.tiering.worker.hedging import Hedging
from service.tiering.worker.main import TransferServer
from service.tiering.worker.transfers import Transfers

HASTY = RetryPolicy(deadline_s=2.0)
"""Of calls that somebody waits for at the start; a refused connection is one within a moment."""

PROBE_AGAIN_SECONDS = 10.0

_log = structlog.get_logger(__name__)


def main() -> None:
    """Serve, and leave without waiting for calls that nobody wants any more."""
    descriptor, url, probe, log_level, log_format = sys.argv[1:]
    configure_logs(level=log_level, form=log_format)
    try:
        probe_key = object_key(probe) if probe else None
        asyncio.run(_serve(socket.socket(fileno=int(descriptor)), url, probe_key))
    except EverlogError as error:
        _log.error("store_not_opened", reason=str(error))
        os._exit(1)
    # Threads may hang in a call to a store that does not answer.
    os._exit(0)


async def _serve(channel: socket.socket, url: str, probe_key: ObjectKey | None) -> None:
    clock, ids = SystemClock(), SystemIds()
    raw = open_store(url, clock=clock, is_read_only=probe_key is None)
    opened = AdaptiveObjectStore(raw, on_cut=_tell)
    store = RetryingObjectStore(opened, clock=clock, ids=ids)
    hasty = RetryingObjectStore(opened, clock=clock, ids=ids, policy=HASTY)
    async with asyncio.TaskGroup() as tasks:
        probe = None if probe_key is None else tasks.create_task(_probe(hasty, probe_key))
        hedging = Hedging()

        def transfers(of: ObjectStore) -> Transfers:
            downloads = Downloads(of, hedging=hedging, spawn=tasks.create_task)
            return Transfers(of, downloads=downloads)

        server = TransferServer(transfers(store), channel=channel, hasty=transfers(hasty))
        await server.run()
        if probe is not None:
            probe.cancel()


def _tell(limit: CallLimit) -> None:
    _log.warning("store_throttles", calls_at_once=int(limit.calls))


async def _probe(store: ObjectStore, key: ObjectKey) -> None:
    """Find out what the store can do; until that can be found out it is used all the same."""
    complained = False
    while True:
        try:
            found = await store.probe(key)
        except RetriableError:
            pass  # the broker asks the store, too, and says that it does not answer
        except EverlogError as error:
            if not complained:
                advice = "nothing is archived until that is put right"
                _log.warning("store_not_usable", reason=str(error), advice=advice)
            complained = True
        else:
            _log.info("store_probed", **asdict(found))
            return
        await asyncio.sleep(PROBE_AGAIN_SECONDS)


if __name__ == "__main__":
    main()
