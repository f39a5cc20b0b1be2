"""Broken rules, and how far the model has to go to find out about each."""

from collections.abc import Mapping
from dataclasses import replace

from typing_extensions import override

from everlog.model.ids import NodeId
from everlog.model.offsets import Offset
from service.coordination.elections import ElectionRules, Electorate, decide
from service.coordination.seats import Remains
from service.model.cluster import PartitionState
from service.replication.high_watermark import high_watermark
from service.replication.leader import LeaderReplicas
from tests.model.bounds import Bounds
from tests.model.rules import Rules, may_replace
from tests.model.scenarios import DISK, OF_THREE, OF_TWO, POWER, SMALL
from tests.model.values import Log, Stored


class Counting(LeaderReplicas):
    """Goes by a high watermark of its own."""

    @override
    def high_watermark(self, current: Offset, *, durable_end: Offset, now: float) -> Offset:
        ends = {each: known.durable_end for each, known in self.followers.items()}
        ends[self._me] = durable_end
        return high_watermark(current, ends, isr=self.counted(), isr_min=self.isr_min)

    def counted(self) -> set[NodeId]:
        raise NotImplementedError


class StoredAlone(Counting):
    @override
    def counted(self) -> set[NodeId]:
        return {*self.state.isr}


class ProposedAlone(Counting):
    @override
    def counted(self) -> set[NodeId]:
        return {*(self.pending or self.state).isr}


class InSyncAlone(Counting):
    @override
    def counted(self) -> set[NodeId]:
        return {*self.state.isr, *(self.pending or self.state).isr}


class FromAnyStart(LeaderReplicas):
    """Lets followers join that lack what was there when the term began."""

    def __init__(self, state: PartitionState, *, term_start: Offset, **rest: object) -> None:
        super().__init__(state, term_start=Offset(0), **rest)  # type: ignore[arg-type]


class ReadAnew(LeaderReplicas):
    """Looks up at each try with which registrations those that join have fetched."""

    @override
    def fetched(self, follower: NodeId, *, broker_epoch: int, **rest: object) -> None:
        super().fetched(follower, broker_epoch=broker_epoch, **rest)  # type: ignore[arg-type]
        if follower in self.joiners:
            self.joiners = {**self.joiners, follower: broker_epoch}


def unless_the_leader_lives(
    state: PartitionState, electorate: Electorate, rules: ElectionRules, *, controller_epoch: int
) -> PartitionState | None:
    if state.leader in electorate.live:
        return None
    return decide(state, electorate, rules, controller_epoch=controller_epoch)


def anybody_who_stays(
    state: PartitionState, electorate: Electorate, rules: ElectionRules, *, controller_epoch: int
) -> PartitionState | None:
    if state.leader in electorate.draining:
        state = replace(state, isr=state.replicas)
    return decide(state, electorate, rules, controller_epoch=controller_epoch)


def by_id(state: PartitionState, broker: NodeId, registration: int) -> bool:
    return state.leader == broker


def down_to_the_high_watermark(log: Log, told: tuple[int, int], heard: int) -> int:
    return heard


def any_joiners(joiners: Mapping[NodeId, int], epochs: tuple[int, ...]) -> bool:
    return True


def of_any_version(stored: Stored, new: Stored) -> bool:
    return stored.topic == new.topic


def under_one_name(stored: Stored, new: Stored) -> bool:
    return may_replace(stored._replace(topic=new.topic), new)


def anything(leaders: int, asked: int) -> bool:
    return True


def though_power_was_cut(remains: Remains, *, replicas: int) -> bool:
    return remains.same_directory and remains.has_log and remains.reached_mark


def though_the_disk_is_bare(remains: Remains, *, replicas: int) -> bool:
    return remains.stopped_clean or remains.same_boot or remains.always_synced


_BARE = replace(OF_TWO, loses=DISK)
_ANEW = replace(OF_TWO, crashes=0, topics=1)

PLANTED: Mapping[str, tuple[Rules, Bounds]] = {
    "the high watermark is that of the stored ISR": (Rules(replicas=StoredAlone), OF_TWO),
    "the high watermark is that of the proposed ISR": (Rules(replicas=ProposedAlone), OF_TWO),
    "the high watermark leaves out who is eligible": (
        Rules(replicas=InSyncAlone),
        replace(OF_TWO, isr_min=2, settings=1),
    ),
    "whoever joins may lack what was there when the term began": (
        Rules(replicas=FromAnyStart),
        SMALL["three replicas, which lose their disks"],
    ),
    "whoever joins may have been started anew": (Rules(registrations_hold=any_joiners), _BARE),
    "a second try goes by the newest registration": (Rules(replicas=ReadAnew), _BARE),
    "a state replaces one of any version": (Rules(may_replace=of_any_version), OF_TWO),
    "a follower cuts its log down to the high watermark": (
        Rules(cut=down_to_the_high_watermark, hears_high_watermark=True),
        replace(OF_THREE, log=2, records=2, waits=False),
    ),
    "a fetch of another term counts": (
        Rules(is_in_term=anything),
        SMALL["three replicas that lead in turn"],
    ),
    "a start is no new term": (
        Rules(decide=unless_the_leader_lives, leads=by_id),
        replace(OF_TWO, records=2, loses=POWER, is_flushed=True),
    ),
    "a seat is kept though power was cut": (
        Rules(keeps_seat=though_power_was_cut),
        replace(OF_TWO, loses=POWER),
    ),
    "a seat is kept though the disk is bare": (Rules(keeps_seat=though_the_disk_is_bare), _BARE),
    "a start looks at its seat before it ends the registration before": (
        Rules(raises_epoch_first=False),
        _BARE,
    ),
    "a start that broke off has proven the disk": (
        Rules(proof_lasts=False),
        replace(OF_TWO, crashes=2, loses=POWER),
    ),
    "a leader that drains is followed by whoever stays": (
        Rules(decide=anybody_who_stays),
        SMALL["two replicas, one of which drains"],
    ),
    "a fetch finds its topic by name": (Rules(is_same_topic=anything), _ANEW),
    "a state is stored under the name of its topic": (Rules(may_replace=under_one_name), _ANEW),
}
"""Each in a small world that shows it."""
