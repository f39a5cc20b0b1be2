"""Processes that end and start, sessions that are lost, and disks that are harmed."""

from everlog.model.ids import NodeId
from service.coordination.seats import Remains, without_seat
from tests.model.ground import Ground, with_item
from tests.model.values import (
    DOWN,
    PROVEN,
    STARTING,
    UNHARMED,
    UNREGISTERED,
    UP,
    Outcomes,
    Proof,
    World,
    frozen,
    thawed,
)


class Processes(Ground):
    """Brokers that come and go."""

    def process_steps(self, world: World, each: NodeId) -> Outcomes:
        """Yield what can become of a broker's process next."""
        broker = world.brokers[each]
        registered = world.registered[each]
        may_fail = world.counts.crashes < self.bounds.crashes
        if broker.phase == DOWN:
            if registered != UNREGISTERED:
                yield ("loses its session", each), self.unregister(world, each)
            yield ("starts", each), self._starts(world, each)
            return
        if broker.phase == STARTING:
            yield from self._looks_at_its_seat(world, each)
        elif broker.phase == PROVEN:
            yield ("registers", each), self._registered(world, each)
        elif registered == UNREGISTERED:
            yield ("ends without a session", each), self.dead(world, each, broker)
        else:
            yield from self._leaves(world, each)
        if may_fail:
            yield from self._crashes(self.failed(world), each)

    def _leaves(self, world: World, each: NodeId) -> Outcomes:
        """Lose the session, or want to stop; a process goes on for a while after either."""
        if world.counts.crashes < self.bounds.crashes:
            gone = self.unregister(self.failed(world), each)
            yield ("goes on without a session", each), gone
        if each not in world.draining and world.counts.drains < self.bounds.drains:
            yield ("drains", each), self._drained(world, each)

    def _drained(self, world: World, each: NodeId) -> World:
        """Raise the epoch, as a start does, of a registration that goes on."""
        counts = world.counts._replace(drains=world.counts.drains + 1)
        epochs = with_item(world.epochs, each, world.epochs[each] + 1)
        return world._replace(epochs=epochs, draining=world.draining | {each}, counts=counts)

    def _crashes(self, world: World, each: NodeId) -> Outcomes:
        broker = world.brokers[each]
        if broker.phase != UP and not self.rules.proof_lasts:
            broker = broker._replace(proof=UNHARMED)
        proof = broker.proof
        yield ("is killed", each), self.dead(world, each, broker)
        if "power" in self.bounds.loses:
            unclean = proof._replace(stopped_clean=False, power_was_cut=True)
            for left in range(broker.synced, len(broker.log) + 1):
                rest = broker._replace(log=broker.log[:left], proof=unclean)
                yield ("loses power, keeps", each, left), self.dead(world, each, rest)
            if broker.phase == UP:
                clean = proof._replace(stopped_clean=True, power_was_cut=True)
                stopped = self.dead(world, each, broker._replace(proof=clean))
                yield ("stops, then loses power", each), self.unregister(stopped, each)
        if "disk" in self.bounds.loses:
            bare = broker._replace(log=(), synced=0, proof=proof._replace(was_wiped=True))
            yield ("loses its disk", each), self.dead(world, each, bare)

    def _starts(self, world: World, each: NodeId) -> World:
        world = self.put(world, each, world.brokers[each]._replace(phase=STARTING))
        return self.with_next_epoch(world, each) if self.rules.raises_epoch_first else world

    def _looks_at_its_seat(self, world: World, each: NodeId) -> Outcomes:
        """Give up the seat if nothing proves it; go on once there is none that is unproven."""
        broker = world.brokers[each]
        true = world.states[-1]
        remains = self._remains(broker.proof)
        keeps = self.rules.keeps_seat(remains, replicas=len(self.bounds.replicas))
        left = None if keeps else without_seat(thawed(true), each)
        if left is None:
            proven = broker._replace(phase=PROVEN)
            yield ("is done with its seat", each), self.put(world, each, proven)
            return
        stored = self.store(world, frozen(left, true.topic))
        if stored is not None:
            yield ("gives up its seat", each), stored

    def _registered(self, world: World, each: NodeId) -> World:
        if not self.rules.raises_epoch_first:
            world = self.with_next_epoch(world, each)
        epoch = world.epochs[each]
        up = world.brokers[each]._replace(
            phase=UP, registration=epoch, seen=len(world.states) - 1, proof=UNHARMED
        )
        world = world._replace(registered=with_item(world.registered, each, epoch))
        return self.take_up(self.put(world, each, up), each)

    def _remains(self, proof: Proof) -> Remains:
        return Remains(
            same_directory=not proof.was_wiped,
            has_log=not proof.was_wiped,
            reached_mark=not proof.was_wiped,
            stopped_clean=proof.stopped_clean,
            same_boot=not proof.power_was_cut,
            always_synced=self.bounds.is_flushed,
        )
