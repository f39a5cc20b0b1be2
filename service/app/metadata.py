"""The cluster's metadata as a broker opens it: its own tree, or ZooKeeper's."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from service.app.seams import Seams
from service.coordination.embedded.store import EmbeddedStore, open_tree
from service.coordination.metadata_store import MetadataStore
from service.model.broker_config import BrokerConfig
from service.telemetry.watchdog import Deadline

METADATA_DIR = "metadata"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """A session with the metadata.

    Attributes:
        deadlines: What a watchdog has to do about the session while the loop is stuck.
        silent_seconds: Time since anybody has answered; the broker's own tree always does.
    """

    store: MetadataStore
    deadlines: Sequence[Deadline] = ()
    silent_seconds: Callable[[], float] = float


@asynccontextmanager
async def open_metadata(config: BrokerConfig, seams: Seams) -> AsyncIterator[Metadata]:
    """Begin a session for as long as the context lasts.

    Raises:
        EverlogError: It cannot be opened; the message says what to do.
    """
    if config.zookeeper_connect is not None:
        # kazoo takes a tenth of a second to import, which a broker without ZooKeeper need not wait.
        from service.app.zookeeper_metadata import open_zookeeper  # noqa: PLC0415

        async with open_zookeeper(config, seams) as metadata:
            yield metadata
        return
    directory = f"{config.data_dir}/{METADATA_DIR}"
    seams.disk.make_dirs(directory)
    server = await open_tree(disk=seams.disk, directory=directory, executor=seams.metadata_executor)
    try:
        yield Metadata(store=await EmbeddedStore.connect(server))
    finally:
        await server.close()
