"""What the controller does, and whoever administers the cluster."""

from everlog.model.ids import NodeId
from service.coordination.elections import ElectionRules, Electorate, first_term
from tests.model.ground import Ground
from tests.model.values import UNREGISTERED, Outcomes, World, frozen, thawed


class Controller(Ground):
    """The one that elects."""

    def controller_steps(self, world: World) -> Outcomes:
        """Yield what can be done next to the partition's state and its topic."""
        true = world.states[-1]
        electorate = self._electorate(world)
        rules = ElectionRules(isr_min=world.isr_min)
        decided = self.rules.decide(thawed(true), electorate, rules, controller_epoch=0)
        stored = None if decided is None else self.store(world, frozen(decided, true.topic))
        if stored is not None:
            yield ("the controller decides", stored.states[-1]), stored
        live = electorate.live
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

    def _electorate(self, world: World) -> Electorate:
        found: dict[bool, dict[NodeId, int]] = {False: {}, True: {}}
        for broker in self.bounds.replicas:
            if world.registered[broker] != UNREGISTERED:
                found[broker in world.draining][broker] = world.registered[broker]
        return Electorate(live=found[False], draining=found[True])
