"""How long a restart takes after many commits; ``make fault`` measures it, and by hand:

    python -m tests.fault.offsets_restart --commits 10000000 --groups 1000 --partitions 10

Groups of every partition of ``__consumer_offsets`` commit over the wire, each request for all
partitions of a topic. When the broker has compacted what it compacts, it is killed and started
again, then stopped and started; each time a group of each partition asks for its offsets until all
are answered. At last the offsets of every group are compared.
"""

import argparse
import contextlib
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient, NewTopic

from service.groups.partitioning import group_partition
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.find_coordinator import FindCoordinatorRequest
from service.protocol.messages.offset_fetch import OffsetFetchRequest, OffsetFetchRequestTopic
from tests.fault.broker_process import BrokerProcess
from tests.fault.commit_load import CommitLoad, note_of
from tests.integration.bad_input.wire import Wire

TOPIC = "orders"
SHARDS = 50
AT_REST_SECONDS = 5.0
"""Files that have not changed for so long are not being compacted."""

_FETCH_VERSION = 5
_LOADING = {ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, ErrorCode.NOT_COORDINATOR}


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitPlan:
    """What is committed: ``rounds`` times ``partitions`` offsets of each group."""

    groups: tuple[str, ...]
    partitions: int
    rounds: int

    @classmethod
    def of(cls, commits: int, *, groups: int, partitions: int) -> "CommitPlan":
        """Plan at least so many commits."""
        names = tuple(f"group-{number}" for number in range(groups))
        return cls(groups=names, partitions=partitions, rounds=-(-commits // (groups * partitions)))

    @property
    def commits(self) -> int:
        return len(self.groups) * self.partitions * self.rounds

    @property
    def one_of_each_shard(self) -> list[str]:
        found = {group_partition(group, SHARDS): group for group in self.groups}
        assert len(found) == SHARDS, f"{len(self.groups)} groups are in {len(found)} partitions"
        return list(found.values())


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure a restart after many commits.")
    parser.add_argument("--commits", type=int, default=10_000_000)
    parser.add_argument("--groups", type=int, default=100)
    parser.add_argument("--partitions", type=int, default=1_000)
    given = parser.parse_args()
    plan = CommitPlan.of(given.commits, groups=given.groups, partitions=given.partitions)
    with tempfile.TemporaryDirectory() as name:
        for line in measure(Path(name), plan):
            print(line, flush=True)


def measure(
    directory: Path,
    plan: CommitPlan,
    *,
    at_rest_s: float = AT_REST_SECONDS,
    ends: Sequence[str] = ("kill", "stop", "stop"),
) -> Iterator[str]:
    """Commit, end the broker and start it again as often as is said; yield what that took."""
    broker = BrokerProcess(directory)
    with broker:
        began = time.monotonic()
        commit(broker, plan)
        took_s = time.monotonic() - began
        yield (
            f"{plan.commits} commits of {len(plan.groups)} groups x {plan.partitions} partitions "
            f"in {took_s:.0f} s, {plan.commits / took_s:.0f} a second"
        )
        yield f"memory after the commits: {_memory(broker.pid)}"
        began = time.monotonic()
        size = compacted_bytes(broker.data_dir, at_rest_s=at_rest_s)
        took_s = time.monotonic() - began - at_rest_s
        yield f"compacted {took_s:.0f} s later, left on disk: {size / 2**20:.1f} MiB"
        for how in ends:
            getattr(broker, how)()
            ready_s, served_s = restart(broker, plan)
            yield (
                f"after a {how}: ready in {ready_s:.2f} s, all {SHARDS} partitions answer after "
                f"{served_s:.2f} s, {_processor_s(broker.pid):.2f} s of it on a processor; "
                f"load average {os.getloadavg()[0]:.1f}"
            )
            compare(broker, plan)
            yield f"memory: {_memory(broker.pid)}"


def commit(broker: BrokerProcess, plan: CommitPlan) -> None:
    """Create what is needed, and commit everything."""
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    for created in admin.create_topics([NewTopic(TOPIC, plan.partitions, 1)]).values():
        created.result()
    with Wire(("127.0.0.1", broker.port)) as wire:
        wire.ask(FindCoordinatorRequest(key=plan.groups[0], key_type=0), 2)
        _wait_for_all(wire, plan)
    load = CommitLoad(
        ("127.0.0.1", broker.port), TOPIC, partitions=plan.partitions, groups=plan.groups
    )
    load.run(plan.rounds)


def compacted_bytes(data_dir: Path, *, at_rest_s: float) -> int:
    """Wait until nothing changes in the logs any more; return the bytes of all segments."""
    before: list[tuple[str, int]] = []
    since = time.monotonic()
    while time.monotonic() - since < at_rest_s:
        time.sleep(0.1)
        now = _files(data_dir / "logs")
        if now != before:
            before, since = now, time.monotonic()
    return sum(size for name, size in before if name.endswith(".log"))


def restart(broker: BrokerProcess, plan: CommitPlan) -> tuple[float, float]:
    """Start again; return the seconds until the ready line, and until all partitions answer."""
    began = time.monotonic()
    broker.start()
    ready_s = time.monotonic() - began
    with Wire(("127.0.0.1", broker.port)) as wire:
        _wait_for_all(wire, plan)
    return ready_s, time.monotonic() - began


def compare(broker: BrokerProcess, plan: CommitPlan) -> None:
    """See that the last commit of every group is there, for every partition."""
    wanted = [(number, plan.rounds - 1, note_of(number)) for number in range(plan.partitions)]
    with Wire(("127.0.0.1", broker.port)) as wire:
        for group in plan.groups:
            answer = _fetch(wire, group, plan.partitions)
            found = [
                (each.partition_index, each.committed_offset, each.metadata)
                for each in answer.topics[0].partitions
            ]
            assert found == wanted, group


def _wait_for_all(wire: Wire, plan: CommitPlan) -> None:
    for group in plan.one_of_each_shard:
        while _fetch(wire, group, 1).error_code in _LOADING:
            time.sleep(0.005)


def _fetch(wire: Wire, group: str, partitions: int) -> Any:
    wanted = OffsetFetchRequestTopic(name=TOPIC, partition_indexes=list(range(partitions)))
    return wire.ask(OffsetFetchRequest(group_id=group, topics=[wanted]), _FETCH_VERSION)


def _files(directory: Path) -> list[tuple[str, int]]:
    """Return names and sizes of what there is; a file that goes meanwhile is left out."""
    found = []
    for each in directory.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            found.append((str(each), each.stat().st_size))
    return sorted(found)


def _processor_s(pid: int) -> float:
    """Return how long a process has run on a processor, which tells more on a busy machine."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory(pid: int) -> str:
    """Return what a process holds, and held at most."""
    facts = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    now, most = (int(facts[name].split()[0]) // 1024 for name in ("VmRSS", "VmHWM"))
    return f"{now} MiB, {most} MiB at most"


if __name__ == "__main__":
    main()
