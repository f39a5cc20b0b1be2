"""What a leader does, and what a broker makes of the states that it hears of."""

from everlog.model.ids import NodeId
from tests.model.ground import Ground
from tests.model.values import Lead, Outcomes, Record, Stored, World


class Leaders(Ground):
    """Brokers that hear of states, and lead."""

    def leader_steps(self, world: World, each: NodeId) -> Outcomes:
        """Yield what a running broker can do next."""
        yield from self._hears(world, each)
        lead = world.brokers[each].lead
        if lead is not None:
            yield from self._appends(world, each, lead)
            yield from self._keeps_the_isr(world, each, lead)

    def _hears(self, world: World, each: NodeId) -> Outcomes:
        broker = world.brokers[each]
        if broker.seen < len(world.states) - 1:
            heard = self.put(world, each, broker._replace(seen=broker.seen + 1))
            yield ("hears", each, heard.states[broker.seen + 1]), self.take_up(heard, each)
        lead = broker.lead
        if lead is not None and lead.isr_min != world.isr_min:
            lead = self.leading.reconfigured(lead, world.isr_min, self.durable_end(broker))
            yield ("is reconfigured", each), self.lead(world, each, lead)

    def _appends(self, world: World, each: NodeId, lead: Lead) -> Outcomes:
        broker = world.brokers[each]
        counts = world.counts
        if len(broker.log) < self.bounds.log and counts.records < self.bounds.records:
            stored = lead.stored
            record = Record(stored.topic, stored.leader_epoch, each, broker.registration)
            written = broker._replace(log=(*broker.log, record))
            after = world._replace(counts=counts._replace(records=counts.records + 1))
            yield ("appends", each), self.grown(after, each, written)

    def _keeps_the_isr(self, world: World, each: NodeId, lead: Lead) -> Outcomes:
        end = self.durable_end(world.brokers[each])
        lapsed = self.leading.lapse(lead, end) if self.bounds.waits else lead
        if lapsed != lead:
            yield ("waits long", each), self.lead(world, each, lapsed)
        alone = self.leading.alone(lead, end) if self.bounds.drains else lead
        if alone != lead:
            yield ("waits for nobody to join", each), self.lead(world, each, alone)
        if lead.pending is None:
            proposed = self.leading.propose(lead, end)
            if proposed is not None:
                yield ("proposes", each, proposed.pending), self.lead(world, each, proposed)
        else:
            yield from self._writes(world, each, lead, lead.pending)

    def _writes(self, world: World, each: NodeId, lead: Lead, pending: Stored) -> Outcomes:
        """Write what is proposed, once more or for the first time; it may not hear what came."""
        end = self.durable_end(world.brokers[each])
        if not self.rules.may_replace(world.states[-1], pending):
            return  # it hears of what is stored in its place
        if not self.rules.registrations_hold(dict(lead.joiners), world.epochs):
            refused = self.leading.refused(lead, end)
            yield ("has its proposal refused", each), self.lead(world, each, refused)
            return
        stored = self.store(world, pending)
        if stored is None:
            return
        yield ("has its proposal stored", each), stored
        if self.bounds.answers:
            told = self.leading.stored(lead, pending, end)
            yield ("is told that its proposal is stored", each), self.lead(stored, each, told)
