"""The model: three replicas of one partition, their disks, ZooKeeper, and all that can go wrong.

Brokers hear of states late and one after the other; fetches arrive, or their answers do not, or
they arrive when all has changed; a write of the ISR is stored without the leader hearing of it;
processes are killed, power is cut, disks are lost, sessions end under running processes, and
brokers are back before anybody has looked. What is decided is decided by the product's functions.
"""

from service.coordination.elections import first_term
from tests.model.controlling import Controller
from tests.model.followers import Followers
from tests.model.ground import trimmed
from tests.model.leaders import Leaders
from tests.model.processes import Processes
from tests.model.values import UNHARMED, UP, Broker, Counts, Outcomes, World, frozen


class Model(Leaders, Followers, Processes, Controller):
    """What can happen in a world, and what must never."""

    def start(self) -> World:
        """Return the world before anything has happened: three brokers, an empty topic."""
        live = dict.fromkeys(self.bounds.isr, 0)
        first = frozen(first_term(self.bounds.replicas, live, controller_epoch=0), 0)
        first = first._replace(leader=self.bounds.leader)
        broker = Broker(UP, 0, 0, 0, (), 0, UNHARMED, None, 0)
        world = World(
            states=(first,),
            epochs=(0,) * len(self.bounds.replicas),
            registered=(0,) * len(self.bounds.replicas),
            draining=frozenset(),
            brokers=(broker,) * len(self.bounds.replicas),
            isr_min=self.bounds.isr_min,
            committed=(),
            late=None,
            counts=Counts(),
        )
        for each in self.bounds.replicas:
            world = self.take_up(world, each)
        return world

    def steps(self, world: World) -> Outcomes:
        """Yield all that can happen next, each with the world that comes of it."""
        for step, after in self._steps(world):
            yield step, trimmed(after)

    def fault_of(self, world: World) -> str | None:
        """Say what is wrong with a world.

        Whatever was below some leader's high watermark is on every replica that can be elected,
        where a power cut does not take it. Those whose disk has been harmed since they were
        registered are not asked: they can be elected only once they have kept their seats.
        """
        if world.counts.idle_cuts:
            return "a follower was told to cut its log and has cut nothing"
        true = world.states[-1]
        for member in (*true.isr, *true.elr):
            broker = world.brokers[member]
            if broker.proof != UNHARMED:
                continue
            held = broker.log[: self.durable_end(broker)] if broker.topic == true.topic else ()
            if held[: len(world.committed)] != world.committed:
                return f"broker {member} can be elected and lacks what is committed"
        for each in self.bounds.replicas:
            lead = world.brokers[each].lead
            if lead is not None and lead.stored.topic == true.topic:
                at = lead.high_watermark
                if world.brokers[each].log[:at] != world.committed[:at]:
                    return f"broker {each} has committed something else at an offset"
        return None

    def _steps(self, world: World) -> Outcomes:
        for each in self.bounds.replicas:
            if world.brokers[each].phase == UP:
                yield from self.leader_steps(world, each)
                yield from self.follower_steps(world, each)
            yield from self.process_steps(world, each)
        yield from self.controller_steps(world)
        yield from self.late_steps(world)
