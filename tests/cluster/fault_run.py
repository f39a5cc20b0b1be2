"""One run: clients work, faults come and go, everything heals, and the history is checked."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, takewhile
from pathlib import Path
from random import Random

from tests.cluster.bucket_audit import audited
from tests.cluster.cluster import Cluster, running_cluster
from tests.cluster.disks import replica_logs
from tests.cluster.raw_reading import raw_log
from tests.cluster.recording import Recorder
from tests.cluster.report import FaultLine, Report
from tests.cluster.schedule import NEMESES, Nemesis, schedule
from tests.cluster.workload import TOPICS, Size, Workload, read_everything
from tests.contract.zookeeper_server import running_zookeeper
from tests.history.anomalies import Anomaly, Kind
from tests.history.checker import anomalies

WARM_SECONDS_MAX = 60
WARM_RECORDS = 50
HEAL_SECONDS_MAX = 60
SYNC_SECONDS_MAX = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run is like.

    Attributes:
        seconds: In which faults begin; what is before and behind that takes a minute.
        zookeepers: Servers of the ensemble.
        choice: The nemeses that may come, or in what order they do.
        rest_seconds: Between two faults, from and to.
        settings: Of all brokers.
        checks_disks: Whether what lies on the disks and in the bucket is looked at as well.
    """

    seconds: float
    seed: int
    size: Size = field(default_factory=Size)
    zookeepers: int = 1
    choice: tuple[Nemesis, ...] = tuple(NEMESES)
    rest_seconds: tuple[float, float] = (2.0, 6.0)
    settings: Mapping[str, str] = field(default_factory=dict)
    topic_config: Mapping[str, str] = field(default_factory=dict)
    checks_disks: bool = True


Say = Callable[[str], None]


class FaultRun:
    """A run under way."""

    def __init__(self, plan: Plan, cluster: Cluster, *, say: Say) -> None:
        self.plan = plan
        self.cluster = cluster
        self.recorder = Recorder()
        self.workload = Workload(
            cluster, self.recorder, plan.size, seed=plan.seed, topic_config=plan.topic_config
        )
        self.report = Report(seed=plan.seed, seconds=plan.seconds, counts=self.recorder.counts)
        self._say = say
        self._random = Random(plan.seed)
        self._begun = time.monotonic()

    def run(self) -> Report:
        """Do it all; return what was found."""
        with self.workload.running():
            self._warm_up()
            self._disturb()
            self._heal()
        self.report.problems += self.workload.failures()
        self._read_all()
        self.report.anomalies = anomalies(self.recorder.history) + list(self._bucket())
        self._fill_in()
        return self.report

    def _warm_up(self) -> None:
        deadline = time.monotonic() + WARM_SECONDS_MAX
        while self.recorder.counts["acknowledged"] < WARM_RECORDS:
            assert time.monotonic() < deadline, "nothing is acknowledged in a sound cluster"
            time.sleep(0.1)

    def _disturb(self) -> None:
        end = time.monotonic() + self.plan.seconds
        coming = takewhile(
            lambda _: time.monotonic() < end, schedule(self._random, self.plan.choice)
        )
        for nemesis in coming:
            self._befall(nemesis)
            time.sleep(self._random.uniform(*self.plan.rest_seconds))

    def _befall(self, nemesis: Nemesis) -> None:
        begun = time.monotonic()
        what = ""
        before = self.recorder.counts["acknowledged"]
        try:
            if nemesis.needs_all:
                self.cluster.wait_in_sync(self.workload.topics, seconds_max=SYNC_SECONDS_MAX)
            with nemesis.act(self.cluster, self._random) as what:
                self._say(f"{begun - self._begun:7.1f} s  {nemesis.number:4} {what}")
                time.sleep(self._random.uniform(*nemesis.seconds))
        except Exception as error:  # noqa: BLE001  (told in the report; a long run goes on)
            what = f"{nemesis.name}: {error!r}"
            self.report.problems.append(f"at {begun - self._begun:.1f} s, {what}")
            self._say(f"          failed: {what}")
            for number in self.cluster.brokers.numbers:
                self.cluster.brokers.start(number)
        acknowledged = self.recorder.counts["acknowledged"] - before
        self.report.faults.append(
            FaultLine(nemesis=nemesis, what=what, begun=begun, acknowledged=acknowledged)
        )

    def _heal(self) -> None:
        """End all faults, start everybody anew, and wait until no replica is behind."""
        self._say("          healing")
        try:
            for number in self.cluster.brokers.numbers:
                self.cluster.brokers.start(number)
            self.cluster.wait_in_sync(self.workload.topics, seconds_max=HEAL_SECONDS_MAX)
            for number in self.cluster.brokers.numbers:
                self.cluster.brokers.stop(number)
                self.cluster.brokers.start(number)
            self.report.heal_seconds = self.cluster.wait_in_sync(
                self.workload.topics, seconds_max=HEAL_SECONDS_MAX
            )
        except AssertionError as error:
            self.report.problems.append(f"after healing: {error}")

    def _read_all(self) -> None:
        history = self.recorder.history
        try:
            read_everything(
                self.cluster.bootstrap, self.workload.partitions, self.recorder, name="last"
            )
            logs = {each: raw_log(self.cluster, each) for each in self.workload.partitions}
        except AssertionError as error:
            self.report.problems.append(f"at the end: {error}")
            return
        history.batches |= {each: log.batches for each, log in logs.items()}
        states = self.cluster.states(self.workload.topics)
        self.report.leader_changes = sum(state.leader_epoch for state in states.values())
        if not self.plan.checks_disks:
            return
        brokers = self.cluster.brokers
        for number in brokers.numbers:
            brokers.stop(number)
        history.replicas += replica_logs(
            {number: brokers[number].data_dir for number in brokers.numbers},
            {topic: self.cluster.view.topic_id(topic) for topic in TOPICS},
            self.workload.partitions,
            {each: log.high_watermark for each, log in logs.items()},
        )

    def _bucket(self) -> Iterator[Anomaly]:
        if not self.plan.checks_disks or self.cluster.brokers.up:
            return
        found = audited(self.cluster)
        self.report.segments = found.segments
        self.report.bucket = str(found)
        for problem in found.problems:
            yield Anomaly(Kind.BUCKET, None, problem)

    def _fill_in(self) -> None:
        report = self.report
        report.starts = self.cluster.brokers.starts
        report.deaths = list(self.cluster.brokers.deaths)
        report.store_faults = sum(self.cluster.plan.injected.values())
        report.broken_lines = self.cluster.network.figures.broken
        report.measure_gaps(self.recorder.acknowledged_at)
        unexpected = [each for each in report.deaths if not each.is_expected]
        report.problems += [f"broker {each.broker} ended with {each.status}" for each in unexpected]


@contextmanager
def cluster_for(plan: Plan, directory: Path, store_endpoint: str) -> Iterator[Cluster]:
    """Run what a plan asks for."""
    with (
        running_zookeeper(plan.zookeepers) as zookeeper,
        running_cluster(
            directory, zookeeper, store_endpoint, seed=plan.seed, settings=plan.settings
        ) as cluster,
    ):
        yield cluster


def fault_run(
    plan: Plan, directory: Path, store_endpoint: str, *, say: Say = lambda _: None
) -> Report:
    """Run a plan on a cluster of its own."""
    with cluster_for(plan, directory, store_endpoint) as cluster:
        return FaultRun(plan, cluster, say=say).run()


def described(problems: list[str], found: list[Anomaly]) -> str:
    """Say what is wrong, a line each."""
    return "\n".join(chain(problems, map(str, found)))
