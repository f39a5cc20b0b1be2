"""A broker's place in the cluster: an ephemeral node, and an epoch that rises each time."""

import asyncio
from dataclasses import dataclass

from everlog.model.errors import RejectedError
from everlog.model.ids import NodeId, id_bytes, id_text
from service.coordination.metadata_store import (
    Create,
    Delete,
    MetadataStore,
    NodeError,
    Op,
    Set,
)
from service.coordination.payloads import Payload, broker_payload, pack, read_broker, unpack
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


@dataclass(frozen=True, slots=True, kw_only=True)
class FormerBroker:
    """The registration before, which has been ended.

    Attributes:
        epoch: The broker epoch now: above that of the registration.
        directory_id: Of its data directory.
        boot_id: Of the operating system's start then; None if an older version has written it.
    """

    epoch: int
    directory_id: bytes
    boot_id: str | None


async def end_registration(
    store: MetadataStore,
    description: BrokerDescription,
    *,
    foreign_wait_seconds: float = FOREIGN_WAIT_SECONDS,
) -> FormerBroker | None:
    """End the registration before, if there was one: nothing that it has told counts any more.

    What is known of it stays until the next one is complete: a start that breaks off on its way has
    shown nothing.

    Raises:
        BrokerIdTakenError: A broker with another data directory has the id, and keeps it.
        ConnectionLostError: Whether it has ended is unknown.
    """
    while True:
        place = await _place(store, description, foreign_wait_seconds)
        if place is None:
            continue
        if place.known is None:
            return None
        written = Set(place.epoch_path, pack(place.known), place.epoch - 1)
        try:
            await store.multi([*place.leftover, written])
        except NodeError:
            continue
        return FormerBroker(
            epoch=place.epoch,
            directory_id=id_bytes(place.known["directory_id"]),
            boot_id=place.known.get("boot_id"),
        )


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
        place = await _place(store, description, foreign_wait_seconds)
        if place is None:
            continue
        broker = Broker(
            id=description.id,
            epoch=place.epoch,
            endpoints=description.endpoints,
            directory_id=description.directory_id,
            boot_id=description.boot_id,
            rack=description.rack,
        )
        known = pack(
            {
                "directory_id": id_text(broker.directory_id),
                "boot_id": broker.boot_id,
                "rack": broker.rack,
            }
        )
        if place.known is None:
            counted: Op = Create(place.epoch_path, known)
        else:
            counted = Set(place.epoch_path, known, place.epoch - 1)
        path = broker_path(description.id)
        created = Create(path, pack(broker_payload(broker)), ephemeral=True)
        try:
            await store.multi([*place.leftover, counted, created])
        except NodeError:
            continue
        return broker


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a broker is about to register.

    Attributes:
        epoch: The next one.
        known: Of the registration before; None if there was none.
        leftover: What removes this broker's node of a session that has not been found dead yet.
    """

    epoch_path: str
    epoch: int
    known: Payload | None
    leftover: tuple[Op, ...]


async def _place(
    store: MetadataStore, description: BrokerDescription, foreign_wait_seconds: float
) -> _Place | None:
    """Look where to register; None when somebody else was there and has now gone."""
    path, epoch_path = broker_path(description.id), broker_epoch_path(description.id)
    held, counted = await store.get_many([path, epoch_path])
    leftover: tuple[Op, ...] = ()
    if held is not None:
        content, stat = held
        holder = read_broker(unpack(content, path), description.id)
        if holder.directory_id != description.directory_id:
            await _wait_until_gone(store, holder, foreign_wait_seconds)
            return None
        leftover = (Delete(path, stat.version),)
    if counted is None:
        return _Place(epoch_path=epoch_path, epoch=0, known=None, leftover=leftover)
    return _Place(
        epoch_path=epoch_path,
        epoch=counted[1].version + 1,
        known=unpack(counted[0], epoch_path),
        leftover=leftover,
    )


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
