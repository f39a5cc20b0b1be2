"""What followers do, and what leaders answer them."""

from everlog.model.ids import NodeId
from service.replication.divergence import diverging
from service.replication.leader import NotReplicaError
from tests.model.ground import Ground
from tests.model.values import Fetch, Lead, Outcomes, World, epochs_of


class Followers(Ground):
    """Brokers that copy a log."""

    def follower_steps(self, world: World, each: NodeId) -> Outcomes:
        """Yield what a running broker can do next to its log."""
        broker = world.brokers[each]
        if self.bounds.is_flushed and broker.synced < len(broker.log):
            yield (
                ("syncs", each),
                self.grown(world, each, broker._replace(synced=len(broker.log))),
            )
        stored = world.states[broker.seen]
        leader = stored.leader
        if leader is None or leader == each:
            return
        fetch = Fetch(
            each,
            leader,
            stored.topic,
            stored.leader_epoch,
            broker.registration,
            broker.log,
            self.durable_end(broker),
        )
        yield from self._fetches(world, fetch)
        if world.late is None and world.counts.delays < self.bounds.delays:
            counts = world.counts._replace(delays=world.counts.delays + 1)
            yield ("fetches, and it takes long", each), world._replace(late=fetch, counts=counts)

    def _fetches(self, world: World, fetch: Fetch) -> Outcomes:
        """Fetch; the answer brings one record, or where to cut, or it is lost."""
        follower = world.brokers[fetch.follower]
        told = self._diverging(world, fetch)
        if told is not None:
            at = self.rules.cut(follower.log, told, follower.heard)
            shorter = follower._replace(log=follower.log[:at], synced=min(at, follower.synced))
            if at == len(follower.log):
                world = world._replace(counts=world.counts._replace(idle_cuts=1))
            yield ("cuts", fetch.follower, at), self.put(world, fetch.follower, shorter)
            return
        noted = self._noted(world, fetch)
        if noted is None:
            return
        yield ("fetches in vain", fetch.follower), noted
        leader = noted.brokers[fetch.leader]
        assert leader.lead is not None
        log = (*fetch.log, *leader.log[len(fetch.log) : len(fetch.log) + 1])
        mark = leader.lead.high_watermark if self.rules.hears_high_watermark else 0
        longer = follower._replace(log=log, heard=min(mark, len(log)))
        yield ("fetches", fetch.follower), self.put(noted, fetch.follower, longer)

    def late_steps(self, world: World) -> Outcomes:
        """Yield what can become of a fetch that is still on its way."""
        late = world.late
        if late is None:
            return
        after = world._replace(late=None)
        yield ("a late fetch is lost", late.follower), after
        if self._diverging(after, late) is None:
            noted = self._noted(after, late)
            if noted is not None:
                yield ("a late fetch arrives", late.follower), noted

    def _answers(self, world: World, fetch: Fetch) -> Lead | None:
        """Return the leader that has an answer to a fetch."""
        leader = world.brokers[fetch.leader]
        lead = leader.lead
        is_his = (
            lead is not None
            and self.rules.is_same_topic(lead.stored.topic, fetch.topic)
            and self.rules.is_in_term(lead.stored.leader_epoch, fetch.term)
        )
        return lead if is_his else None

    def _diverging(self, world: World, fetch: Fetch) -> tuple[int, int] | None:
        if self._answers(world, fetch) is None or not fetch.log:
            return None
        log = world.brokers[fetch.leader].log
        return diverging(
            fetch.log[-1].term,
            len(fetch.log),
            end_of=lambda epoch: epochs_of(log).end_of(epoch, log_end=len(log)),
            log_start=0,
        )

    def _noted(self, world: World, fetch: Fetch) -> World | None:
        """Let a leader take note of a fetch; None when it refuses it."""
        lead = self._answers(world, fetch)
        if lead is None:
            return None
        leader = world.brokers[fetch.leader]
        end = self.durable_end(leader)
        try:
            lead = self.leading.fetched(
                lead, fetch.follower, fetch.durable_end, fetch.registration, end
            )
        except NotReplicaError:
            return None
        return self.lead(world, fetch.leader, lead)
