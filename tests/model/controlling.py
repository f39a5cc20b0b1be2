"""What the controller does, and whoever administers the cluster."""

from service.coordination.elections import first_term
from tests.model.ground import Ground
from tests.model.values import UNREGISTERED, Outcomes, World, frozen, thawed


class Controller(Ground):
    """The one that elects."""

    def controller_steps(self, world: World) -> Outcomes:
        """Yield what can be done next to the partition's state and its topic."""
        true = world.states[-1]
        live = {b: e for b in self.bounds.replicas if (e := world.registered[b]) != UNREGISTERED}
        state = thawed(true)
        if self.rules.needs_election(state, live):
            elected = self.rules.elect(state, live, controller_epoch=0)
            stored = None if elected is None else self.store(world, frozen(elected, true.topic))
            if stored is not None:
                yield ("the controller elects", stored.states[-1]), stored
        counts = world.counts
        if counts.topics < self.bounds.topics and live:
            anew = frozen(
                first_term(self.bounds.replicas, live, controller_epoch=0), true.topic + 1
            )
            counts = counts._replace(topics=counts.topics + 1)
            after = world._replace(committed=(), counts=counts, states=(*world.states, anew))
            yield ("the topic is made anew", anew), after
        if world.counts.settings < self.bounds.settings:
            counts = world.counts._replace(settings=world.counts.settings + 1)
            after = world._replace(isr_min=3 - world.isr_min, counts=counts)
            yield ("min.insync.replicas becomes", after.isr_min), after
