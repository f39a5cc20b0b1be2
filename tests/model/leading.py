"""Drives `LeaderReplicas`: out of a tuple, one step on, and into a tuple again."""

from collections.abc import Callable
from functools import cache

from everlog.model.ids import NodeId
from everlog.model.offsets import Offset
from service.replication.leader import LeaderReplicas
from service.replication.progress import Progress
from tests.model.values import Known, Lead, Stored, frozen, thawed

NOW = 1.0
LONG_AGO = 0.0
LAG_SECONDS_MAX = 0.5
"""Between the two times."""

Replicas = Callable[..., LeaderReplicas]


class Leading:
    """What happens to a leader; each outcome is kept, since few are different.

    ``durable_end`` is the leader's own. The high watermark follows each event at once.
    """

    def __init__(self, replicas: Replicas) -> None:
        self._replicas = replicas
        self.begin = cache(self._begin)
        self.rise = cache(self._rise)
        self.fetched = cache(self._fetched)
        self.lapse = cache(self._lapse)
        self.alone = cache(self._alone)
        self.propose = cache(self._propose)
        self.stored = cache(self._stored)
        self.refused = cache(self._refused)
        self.reconfigured = cache(self._reconfigured)

    def _begin(
        self, me: NodeId, stored: Stored, term_start: int, isr_min: int, durable_end: int
    ) -> Lead:
        replicas = self._new(me, stored, term_start, isr_min)
        return self._lead(stored.topic, replicas, 0, durable_end)

    def _rise(self, lead: Lead, durable_end: int) -> Lead:
        return self._after(lead, self._thaw(lead), durable_end)

    def _fetched(
        self, lead: Lead, follower: NodeId, end: int, broker_epoch: int, durable_end: int
    ) -> Lead:
        """Take note of a fetch; raises as the real one does."""
        replicas = self._thaw(lead)
        replicas.fetched(
            follower,
            durable_end=Offset(end),
            broker_epoch=broker_epoch,
            leader_end=Offset(durable_end),
            now=NOW,
        )
        return self._after(lead, replicas, durable_end)

    def _lapse(self, lead: Lead, durable_end: int) -> Lead:
        """Let so much time pass that whoever has not caught up since is behind."""
        old = tuple(each._replace(has_caught_up=False) for each in lead.followers)
        return self._rise(lead._replace(followers=old), durable_end)

    def _alone(self, lead: Lead, durable_end: int) -> Lead:
        """Hear that all the others are about to stop, for the time of one look."""
        replicas = self._thaw(lead)
        replicas.away = [each.follower for each in lead.followers]
        return self._after(lead, replicas, durable_end)

    def _propose(self, lead: Lead, durable_end: int) -> Lead | None:
        replicas = self._thaw(lead)
        if replicas.propose(Offset(lead.high_watermark), now=NOW) is None:
            return None
        return self._after(lead, replicas, durable_end)

    def _stored(self, lead: Lead, stored: Stored, durable_end: int) -> Lead:
        replicas = self._thaw(lead)
        replicas.stored(thawed(stored), now=NOW)
        return self._after(lead, replicas, durable_end)

    def _refused(self, lead: Lead, durable_end: int) -> Lead:
        replicas = self._thaw(lead)
        replicas.refused()
        return self._after(lead, replicas, durable_end)

    def _reconfigured(self, lead: Lead, isr_min: int, durable_end: int) -> Lead:
        replicas = self._thaw(lead)
        replicas.isr_min = isr_min
        return self._after(lead, replicas, durable_end)

    def _new(self, me: NodeId, stored: Stored, term_start: int, isr_min: int) -> LeaderReplicas:
        return self._replicas(
            thawed(stored),
            me=me,
            term_start=Offset(term_start),
            isr_min=isr_min,
            lag_seconds_max=LAG_SECONDS_MAX,
            now=NOW,
        )

    def _thaw(self, lead: Lead) -> LeaderReplicas:
        me = lead.stored.leader
        assert me is not None
        replicas = self._new(me, lead.stored, lead.term_start, lead.isr_min)
        replicas.pending = None if lead.pending is None else thawed(lead.pending)
        replicas.joiners = dict(lead.joiners)
        replicas._followers = {each.follower: _progress(each) for each in lead.followers}
        return replicas

    def _after(self, lead: Lead, replicas: LeaderReplicas, durable_end: int) -> Lead:
        return self._lead(lead.stored.topic, replicas, lead.high_watermark, durable_end)

    def _lead(self, topic: int, replicas: LeaderReplicas, committed: int, durable_end: int) -> Lead:
        committed = replicas.high_watermark(
            Offset(committed), durable_end=Offset(durable_end), now=NOW
        )
        return Lead(
            frozen(replicas.state, topic),
            None if replicas.pending is None else frozen(replicas.pending, topic),
            tuple(replicas.joiners.items()),
            replicas.isr_min,
            replicas.term_start,
            tuple(_known(*each) for each in replicas.followers.items()),
            committed,
        )


def _progress(known: Known) -> Progress:
    return Progress(
        durable_end=Offset(known.durable_end),
        broker_epoch=known.broker_epoch,
        caught_up_at=NOW if known.has_caught_up else LONG_AGO,
        asked_at=LONG_AGO,
    )


def _known(follower: NodeId, progress: Progress) -> Known:
    has_caught_up = progress.caught_up_at == NOW
    return Known(follower, progress.durable_end, progress.broker_epoch, has_caught_up)
