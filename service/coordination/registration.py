"""A broker's place in the cluster: an ephemeral node, and an epoch that rises each time."""

import asyncio
from dataclasses import dataclass

from everlog.model.errors import RejectedError
from everlog.model.ids import NodeId, id_text
from service.coordination.metadata_store import (
    Create,
    Delete,
    MetadataStore,
    NodeError,
    Op,
    Set,
)
from service.coordination.payloads import broker_payload, pack, read_broker, unpack
from service.coordination.znodes import broker_epoch_path, broker_path
from service.model.cluster import Broker, Endpoint

FOREIGN_WAIT_SECONDS = 60.0
"""How long somebody else may hold the id: longer than a session outlives its broker."""


class BrokerIdTakenError(RejectedError):
    """Another running broker has this id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerDescription:
    """What a broker says of itself.

    Attributes:
        directory_id: Of its data directory, which no other process can have open.
        boot_id: Of the operating system's start.
    """

    id: NodeId
    endpoints: tuple[Endpoint, ...]
    directory_id: bytes
    boot_id: str
    rack: str | None = None


async def register_broker(
    store: MetadataStore,
    description: BrokerDescription,
    *,
    foreign_wait_seconds: float = FOREIGN_WAIT_SECONDS,
) -> Broker:
    """Register a broker for as long as the session lives, and return it with its new epoch.

    Safe to repeat: each registration is a new one and ends the one before.

    Raises:
        BrokerIdTakenError: A broker with another data directory has the id, and keeps it.
        ConnectionLostError: Whether it is registered is unknown.
    """
    while True:
        registered = await _try(store, description, foreign_wait_seconds)
        if registered is not None:
            return registered


async def _try(
    store: MetadataStore, description: BrokerDescription, foreign_wait_seconds: float
) -> Broker | None:
    """Register once; None when somebody else wrote at the same time, or has now gone."""
    path, epoch_path = broker_path(description.id), broker_epoch_path(description.id)
    held, counted = await store.get_many([path, epoch_path])
    ops: list[Op] = []
    if held is not None:
        content, stat = held
        holder = read_broker(unpack(content, path), description.id)
        if holder.directory_id != description.directory_id:
            await _wait_until_gone(store, holder, foreign_wait_seconds)
            return None
        # Our own, from a session that has not been found dead yet.
        ops.append(Delete(path, stat.version))
    broker = Broker(
        id=description.id,
        epoch=0 if counted is None else counted[1].version + 1,
        endpoints=description.endpoints,
        directory_id=description.directory_id,
        boot_id=description.boot_id,
        rack=description.rack,
    )
    known = pack({"directory_id": id_text(broker.directory_id), "rack": broker.rack})
    if counted is None:
        ops.append(Create(epoch_path, known))
    else:
        ops.append(Set(epoch_path, known, counted[1].version))
    ops.append(Create(path, pack(broker_payload(broker)), ephemeral=True))
    try:
        await store.multi(ops)
    except NodeError:
        return None
    return broker


async def _wait_until_gone(store: MetadataStore, holder: Broker, seconds: float) -> None:
    path, gone = broker_path(holder.id), asyncio.Event()
    # A watch does not survive a lost connection.
    store.subscribe(lambda _: gone.set())
    try:
        async with asyncio.timeout(seconds):
            while await store.exists(path, watch=lambda _: gone.set()) is not None:
                await gone.wait()
                gone.clear()
    except TimeoutError as error:
        where = ", ".join(f"{each.host}:{each.port}" for each in holder.endpoints)
        raise BrokerIdTakenError(
            f"broker {holder.id} is already running at {where} with another data directory: "
            "give this one an id of its own, or stop the other"
        ) from error
