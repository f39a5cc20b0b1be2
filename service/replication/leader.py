"""What a leader knows of its replicas in one term, and which ISR it wants; sans I/O."""

from collections.abc import Collection, Mapping

from everlog.model.errors import FencedError
from everlog.model.ids import NodeId
from everlog.model.offsets import Offset
from service.model.cluster import PartitionState
from service.replication.high_watermark import high_watermark
from service.replication.isr import is_joining, lagging, may_join, with_isr
from service.replication.progress import NEVER, NOWHERE, Progress


class NotReplicaError(FencedError):
    """Whoever fetches as a replica is none of this partition's, or is behind its own restart."""


class LeaderReplicas:
    """The replicas of a led partition.

    One change of the ISR is under way at a time: `propose`, write it, then tell what became of it.
    As long as nobody knows, the proposed members count as well as the stored ones.

    Args:
        state: As the election has stored it.
        me: The leader.
        term_start: Where the log ended when the term began.
        isr_min: So many have to be in sync for anything to be committed, if there are so many.
        lag_seconds_max: For how long a member of the ISR may be behind.
        now: Seconds of the monotonic clock.

    Attributes:
        state: As it is stored, as far as is known.
        pending: As it was proposed, while the outcome is not known.
        joiners: Whom it takes in, and the registrations with which they had fetched when it was
            proposed. It may be written only while these hold, also when it is tried again: a broker
            that has been started anew since may have lost what it had told (KAFKA-14617).
        isr_min: May be set anew.
        term_start: As it was given.
        away: Brokers that are not registered, or about to stop: they are not taken into the ISR,
            and nothing waits for them to be.
    """

    def __init__(
        self,
        state: PartitionState,
        *,
        me: NodeId,
        term_start: Offset,
        isr_min: int,
        lag_seconds_max: float,
        now: float,
    ) -> None:
        self.state = state
        self.pending: PartitionState | None = None
        self.joiners: Mapping[NodeId, int] = {}
        self.isr_min = isr_min
        self.term_start = term_start
        self.away: Collection[NodeId] = ()
        self._me = me
        self._lag_seconds_max = lag_seconds_max
        self._followers = _newcomers(state, me, {}, now)

    @property
    def followers(self) -> Mapping[NodeId, Progress]:
        """How far each of the others is."""
        return self._followers

    @property
    def is_short(self) -> bool:
        """Whether too few replicas are in sync to commit anything."""
        return len(self.state.isr) < self.isr_needed

    @property
    def isr_needed(self) -> int:
        """How many have to be in sync: replicas that are being added count when they have come."""
        return min(self.isr_min, len(self.state.original))

    def fetched(
        self,
        follower: NodeId,
        *,
        durable_end: Offset,
        local_start: Offset = NOWHERE,
        broker_epoch: int,
        leader_end: Offset,
        now: float,
    ) -> None:
        """Take note of a fetch in this term; ``leader_end`` is the leader's own durable end.

        Raises:
            NotReplicaError: It is no replica, or an earlier registration of one.
        """
        before = self._followers.get(follower)
        if before is None or broker_epoch < before.broker_epoch:
            raise NotReplicaError(f"broker {follower} in its epoch {broker_epoch} is no replica")
        self._followers[follower] = before.after_fetch(
            durable_end=durable_end,
            local_start=local_start,
            broker_epoch=broker_epoch,
            leader_end=leader_end,
            now=now,
        )

    def holding(self, offset: int) -> list[NodeId]:
        """Return the in-sync followers that have an offset on their disks, the furthest first."""
        ends = {
            each: progress.durable_end
            for each, progress in self._followers.items()
            if each in self.state.isr and progress.holds(offset)
        }
        return sorted(ends, key=lambda each: (-ends[each], each))

    def are_following(self, *, since: float) -> bool:
        """Whether everybody who could be elected has fetched in this term since then."""
        members = {*self.state.isr, *self.state.elr}
        if self.pending is not None:
            members.update(self.pending.isr)
        others = (self._followers[each] for each in members if each in self._followers)
        return all(each.broker_epoch >= 0 and each.asked_at >= since for each in others)

    def high_watermark(self, current: Offset, *, durable_end: Offset, now: float) -> Offset:
        """Return up to where the partition is committed; it never goes back."""
        if not self._followers:
            return max(current, durable_end)
        ends = {each: progress.durable_end for each, progress in self._followers.items()}
        ends[self._me] = durable_end
        return high_watermark(
            current,
            ends,
            isr=self.state.isr,
            pending_isr=() if self.pending is None else self.pending.isr,
            joining=self._joining(now),
            eligible=self.state.elr,
            isr_min=self.isr_needed,
        )

    @property
    def is_whole(self) -> bool:
        """Whether all are in sync and nothing is under way: only one that hangs matters."""
        state = self.state
        return len(state.isr) == len(state.replicas) and not state.elr and self.pending is None

    def propose(self, high_watermark: Offset, *, now: float) -> PartitionState | None:
        """Return the state to write, if there should be another one and none is under way.

        That is one with another ISR, or with nobody eligible any more since the minimum is lower.
        """
        if self.pending is not None:
            return None
        isr = set(self.state.isr)
        isr.difference_update(
            lagging(self.state.isr, self._followers, now=now, seconds_max=self._lag_seconds_max)
        )
        isr.update(
            each
            for each in self._joining(now)
            if may_join(
                self._followers[each], high_watermark=high_watermark, term_start=self.term_start
            )
        )
        wanted = with_isr(self.state, isr, isr_min=self.isr_needed)
        if isr == {*self.state.isr} and {*wanted.elr} == {*self.state.elr}:
            return None
        self.pending = wanted
        joining = [each for each in self.pending.isr if each not in self.state.isr]
        self.joiners = {each: self._followers[each].broker_epoch for each in joining}
        return self.pending

    def stored(self, state: PartitionState, *, now: float) -> None:
        """Take note of what is stored, whoever wrote it; an older one is passed over."""
        if state.version < self.state.version:
            return
        self.state = state
        self._followers = _newcomers(state, self._me, self._followers, now)
        if self.pending is not None and self.pending.version <= state.version:
            self.refused()

    def refused(self) -> None:
        """Take note that the pending state was not stored, and never will be."""
        self.pending = None
        self.joiners = {}

    def _joining(self, now: float) -> list[NodeId]:
        return [
            each
            for each, progress in self._followers.items()
            if each not in self.state.isr
            and each not in self.away
            and is_joining(
                progress,
                term_start=self.term_start,
                now=now,
                seconds_max=self._lag_seconds_max,
            )
        ]


def _newcomers(
    state: PartitionState, me: NodeId, known: Mapping[NodeId, Progress], now: float
) -> dict[NodeId, Progress]:
    """Return the progress of each replica but the leader; of new ones nothing is known.

    Nothing waits for those that a reassignment brings before they have caught up once: the first
    fetch of one, of a large log, would hold up the high watermark.
    """
    return {
        each: known.get(each)
        or Progress(caught_up_at=NEVER if each in state.adding else now, asked_at=now)
        for each in state.replicas
        if each != me
    }
