"""A process whose event loop is stuck while kazoo's thread keeps its session.

Arguments: the servers with a path, the session in milliseconds, for how many seconds it is stuck.
"""

import asyncio
import sys
import time

from service.app.metadata import open_metadata
from service.app.seams import system_seams
from service.coordination.metadata_store import SessionExpiredError
from service.model.broker_config import BrokerConfig, GivenValue, Origin
from service.telemetry.watchdog import Watchdog


async def _be_stuck(connect: str, session_ms: str, seconds: float) -> None:
    texts = {
        "zookeeper.connect": connect,
        "zookeeper.session.timeout.ms": session_ms,
        "remote.storage.enable": "false",
    }
    given = {
        name: GivenValue(text=text, origin=Origin.FLAG, where="test")
        for name, text in texts.items()
    }
    seams = system_seams(flush_threads=1, read_threads=1)
    watchdog = Watchdog(clock=seams.clock, warn_seconds=0.5)
    watchdog.start()
    async with open_metadata(BrokerConfig.of(given), seams) as metadata:
        watchdog.arm(metadata.deadlines)
        await metadata.store.create("/mine", ephemeral=True)
        print("stuck", flush=True)
        time.sleep(seconds)  # noqa: ASYNC251  (that is what it is about)
        try:
            while True:
                await metadata.store.get("/mine")
        except SessionExpiredError:
            print("lost", flush=True)
    watchdog.stop()


asyncio.run(_be_stuck(sys.argv[1], sys.argv[2], float(sys.argv[3])))
