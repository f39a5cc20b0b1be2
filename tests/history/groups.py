"""A group: a partition has one member, commits are of what was given, and are gone on from."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator

from tests.history.anomalies import Anomaly, Kind
from tests.history.operations import Commit, History, Outcome, Partition
from tests.history.records_seen import Logs

GroupPartition = tuple[str, Partition]


def shared_partitions(history: History, _: Logs) -> Iterator[Anomaly]:
    """Find partitions that two members of a generation have."""
    owners: dict[tuple[str, int, Partition], str] = {}
    for assigned in history.assigned:
        for partition in assigned.partitions:
            key = (assigned.group, assigned.generation, partition)
            owner = owners.setdefault(key, assigned.process)
            if owner != assigned.process:
                what = f"{owner} and {assigned.process} in generation {assigned.generation}"
                yield Anomaly(Kind.TWO_OWNERS, partition, what)


def committed_unread(history: History, logs: Logs) -> Iterator[Anomaly]:
    """Find records below what a group has committed that none of its members was given."""
    given: defaultdict[GroupPartition, set[int]] = defaultdict(set)
    groups = {commit.process: commit.group for commit in history.commits}
    for poll in history.polls:
        if (group := groups.get(poll.process)) is not None:
            given[group, poll.partition].update(poll.offsets)
    for (group, partition), commits in _by_partition(history.commits).items():
        end = max((each.offset for each in commits if each.outcome is Outcome.OK), default=0)
        log = logs.get(partition)
        known = () if log is None else (each for each in log.values if each < end)
        unread = sorted(set(known) - given[group, partition])
        if unread:
            what = f"{group} has committed {end} and was not given {len(unread)}, as {unread[0]}"
            yield Anomaly(Kind.COMMITTED_UNREAD, partition, what)


def wrong_resumptions(history: History, _: Logs) -> Iterator[Anomaly]:
    """Find members that go on behind a promised commit, or where nobody has committed."""
    commits = _by_partition(history.commits)
    floors = {key: _floor(each) for key, each in commits.items()}
    for resumed in history.resumed:
        key = (resumed.group, resumed.partition)
        times, offsets = floors.get(key, ([], []))
        before = bisect_right(times, resumed.invoked)
        promised = offsets[before - 1] if before else None
        at = resumed.offset
        if promised is not None and (at is None or at < promised):
            what = f"{resumed.process} goes on at {at}, {promised} was committed"
            yield Anomaly(Kind.COMMIT_LOST, resumed.partition, what)
        elif at is not None and not any(
            each.offset == at and each.invoked <= resumed.completed for each in commits.get(key, ())
        ):
            what = f"{resumed.process} goes on at {at}, where nobody has committed"
            yield Anomaly(Kind.COMMIT_PHANTOM, resumed.partition, what)


def _by_partition(commits: list[Commit]) -> dict[GroupPartition, list[Commit]]:
    found: defaultdict[GroupPartition, list[Commit]] = defaultdict(list)
    for commit in commits:
        found[commit.group, commit.partition].append(commit)
    return found


def _floor(commits: list[Commit]) -> tuple[list[float], list[int]]:
    """Return when the highest promised commit rose, and to what.

    A member begins where the group has got to and only goes on, so commits never go back.
    """
    times: list[float] = []
    offsets: list[int] = []
    for commit in sorted(commits, key=lambda each: each.completed):
        if commit.outcome is Outcome.OK and (not offsets or commit.offset > offsets[-1]):
            times.append(commit.completed)
            offsets.append(commit.offset)
    return times, offsets
