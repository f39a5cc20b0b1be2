"""How a broker says that it is about to stop, and how it knows when nobody needs it (ADR 24).

From then on nothing is stored that relies on its staying: whoever would elect it, or take it into
an ISR, checks an epoch that it has raised (KIP-841). What it leads already it leads on, until the
controller has given it to others.
"""

from dataclasses import replace

from everlog.model.errors import FencedError
from service.coordination.changes import BrokerChange, Edit, encode_row, publish
from service.coordination.elections import Electorate
from service.coordination.metadata_store import MetadataStore, NodeError, Set
from service.coordination.payloads import broker_payload, pack, read_broker, unpack
from service.coordination.znodes import broker_epoch_path, broker_path
from service.model.cluster import Broker, ClusterImage, PartitionState


class RegistrationEndedError(FencedError):
    """The registration of this broker is over already: nobody relies on it any more."""


async def begin_draining(store: MetadataStore, broker: Broker) -> Broker:
    """Tell everybody that a broker is about to stop; return it as it is registered then.

    Safe to repeat.

    Raises:
        RegistrationEndedError: It is not registered, or has been started anew.
        ConnectionLostError: Whether it was done is unknown.
    """
    path, epoch_path = broker_path(broker.id), broker_epoch_path(broker.id)
    while True:
        held, counted = await store.get_many([path, epoch_path])
        if held is None or counted is None:
            raise RegistrationEndedError(f"broker {broker.id} is not registered")
        found = read_broker(unpack(held[0], path), broker.id)
        if found.epoch != broker.epoch or found.stored_epoch != counted[1].version:
            raise RegistrationEndedError(f"broker {broker.id} has been started anew")
        if found.draining:
            return found
        drained = replace(found, draining=True)
        known = {**unpack(counted[0], epoch_path), "draining": True}
        edit = Edit(
            (
                Set(epoch_path, pack(known), broker.epoch),
                Set(path, pack(broker_payload(drained)), held[1].version),
            ),
            (encode_row(BrokerChange(drained)),),
        )
        try:
            await publish(store, checks=[], edits=[edit])
        except NodeError:
            continue
        return drained


def is_relieved(image: ClusterImage, broker: Broker) -> bool:
    """Whether nobody needs a broker any more that drains."""
    held = image.brokers.get(broker.id)
    return held is None or (held.draining and not seats_held(image, broker))


def seats_held(image: ClusterImage, broker: Broker) -> int:
    """Return of how many partitions the controller has still to relieve a broker that drains."""
    electorate = Electorate.of(image.brokers.values())
    return sum(
        _is_needed(state, broker, electorate)
        for topic in image.topics.values()
        for state in topic.partitions
    )


def _is_needed(state: PartitionState, broker: Broker, electorate: Electorate) -> bool:
    """Whether it leads what another one can lead, or others wait for what it has copied."""
    if state.is_led_by(broker.id, broker.epoch):
        return any(each in electorate.live for each in state.isr if each != broker.id)
    return broker.id in state.isr and electorate.has_leader(state)
