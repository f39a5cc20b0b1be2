"""What all parts of the model do to a world."""

from typing import TypeVar

from everlog.model.ids import NodeId
from tests.model.bounds import Bounds
from tests.model.leading import Leading
from tests.model.rules import REAL, Rules
from tests.model.values import DOWN, UNREGISTERED, Broker, Lead, Stored, World, thawed

T = TypeVar("T")


class Ground:
    """The bounds, the rules, and worlds with something changed."""

    def __init__(self, bounds: Bounds, rules: Rules = REAL) -> None:
        self.bounds = bounds
        self.rules = rules
        self.leading = Leading(rules.replicas)

    def durable_end(self, broker: Broker) -> int:
        return broker.synced if self.bounds.is_flushed else len(broker.log)

    def store(self, world: World, state: Stored) -> World | None:
        """Store a state; None beyond the bounds."""
        if state.leader_epoch > self.bounds.terms or state.version > self.bounds.versions:
            return None
        return world._replace(states=(*world.states, state))

    def put(self, world: World, each: NodeId, broker: Broker) -> World:
        return world._replace(brokers=with_item(world.brokers, each, broker))

    def lead(self, world: World, each: NodeId, lead: Lead | None) -> World:
        """Let a broker lead so; what is committed now, by anybody, is committed for ever."""
        broker = world.brokers[each]
        if lead is not None and lead.stored.topic == world.states[-1].topic:
            below = broker.log[: lead.high_watermark]
            if below[: len(world.committed)] == world.committed:
                world = world._replace(committed=below)
        return self.put(world, each, broker._replace(lead=lead))

    def grown(self, world: World, each: NodeId, broker: Broker) -> World:
        """Put a broker whose log is longer, or synced further."""
        world = self.put(world, each, broker)
        if broker.lead is None:
            return world
        return self.lead(world, each, self.leading.rise(broker.lead, self.durable_end(broker)))

    def failed(self, world: World) -> World:
        return world._replace(counts=world.counts._replace(crashes=world.counts.crashes + 1))

    def dead(self, world: World, each: NodeId, broker: Broker) -> World:
        """Put a broker whose process has ended; its session goes on."""
        gone = broker._replace(phase=DOWN, registration=UNREGISTERED, seen=-1, lead=None, heard=0)
        return self.put(world, each, gone)

    def unregister(self, world: World, each: NodeId) -> World:
        return world._replace(
            registered=with_item(world.registered, each, UNREGISTERED),
            draining=world.draining - {each},
        )

    def with_next_epoch(self, world: World, each: NodeId) -> World:
        epochs = with_item(world.epochs, each, world.epochs[each] + 1)
        return self.unregister(world._replace(epochs=epochs), each)

    def take_up(self, world: World, each: NodeId) -> World:
        """Let a broker be what the state says that it has heard of."""
        broker = world.brokers[each]
        stored = world.states[broker.seen]
        if broker.topic != stored.topic:
            broker = broker._replace(topic=stored.topic, log=(), synced=0, heard=0, lead=None)
        end = self.durable_end(broker)
        lead = broker.lead
        if not self.rules.leads(thawed(stored), each, broker.registration):
            lead = None
        elif lead is not None and lead.stored.leader_epoch == stored.leader_epoch:
            lead = self.leading.stored(lead, stored, end)
        else:
            lead = self.leading.begin(each, stored, len(broker.log), world.isr_min, end)
        return self.lead(self.put(world, each, broker), each, lead)


def with_item(values: tuple[T, ...], at: int, value: T) -> tuple[T, ...]:
    return (*values[:at], value, *values[at + 1 :])


def trimmed(world: World) -> World:
    """Let brokers hear of what is no news to them, and forget what all have heard of."""
    if len(world.states) == 1:
        return world
    seen = [_seen(world.states, each, broker) for each, broker in enumerate(world.brokers)]
    oldest = min((at for at in seen if at >= 0), default=len(world.states) - 1)
    brokers = tuple(
        broker if at < 0 or at - oldest == broker.seen else broker._replace(seen=at - oldest)
        for broker, at in zip(world.brokers, seen, strict=True)
    )
    return world._replace(states=world.states[oldest:], brokers=brokers)


def _seen(states: tuple[Stored, ...], each: int, broker: Broker) -> int:
    """Return which state a broker has heard of; to a follower only the term makes a difference."""
    at = broker.seen
    if at < 0 or states[at].leader == each:
        return at
    while at + 1 < len(states) and _term(states[at + 1]) == _term(states[at]):
        at += 1
    return at


def _term(stored: Stored) -> tuple[object, ...]:
    return stored.topic, stored.leader, stored.leader_epoch, stored.leader_broker_epoch
