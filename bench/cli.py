"""The command line: `python -m bench` measures, `python -m bench table` shows what was measured."""

import argparse
import datetime as dt
import os
import resource
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import FrameType

from bench import machine, report, results
from bench.block import FULL, QUICK, Lengths
from bench.client import Clients
from bench.errors import BenchError
from bench.page_cache import page_cache
from bench.peers import EVERLOG, KAFKA, Everlog, EverlogCluster, Kafka, KafkaCluster, Peer
from bench.results import Result
from bench.schedule import Schedule
from bench.suites import SUITES, Suite

_ROOT = Path(__file__).parent.parent
_BUILD = _ROOT / "build" / "bench"
_RESULTS = Path(__file__).parent / "results"
_ALL = "all"


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say; return the exit status."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _stop)
    try:
        return _show(options) if options.command == "table" else _measure(options)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: stopped; this suite's results are not kept", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("command", nargs="?", choices=("run", "table"), default="run")
    parser.add_argument("files", nargs="*", type=Path, help="table: show these results instead")
    parser.add_argument("--suite", choices=(_ALL, *SUITES), default=_ALL)
    parser.add_argument("--rounds", type=int, help="of all peers, one after the other (mostly 5)")
    parser.add_argument("--gib", type=int, help="tier-memory: how much is read (20)")
    parser.add_argument("--only", choices=(KAFKA, EVERLOG), help="measure one peer")
    parser.add_argument("--quick", action="store_true", help="short and once, to see that it runs")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="settings")
    parser.add_argument("--tiered", action="store_true", help="archive Everlog's topics as well")
    parser.add_argument("--work-dir", type=Path, default=_BUILD / "work", help="on a real disk")
    parser.add_argument("--results-dir", type=Path, default=_RESULTS)
    return parser


def _measure(options: argparse.Namespace) -> int:
    chosen = [suite for suite in SUITES.values() if _is_chosen(suite, options.suite)]
    peers = {suite.name: _peers(suite, options) for suite in chosen}
    clients = Clients(_BUILD)
    clients.prepare()
    for peer in (peer for each in peers.values() for peer in each):
        peer.prepare()
    options.work_dir.mkdir(parents=True, exist_ok=True)
    if machine.is_volatile(options.work_dir):
        print("bench: the work directory is in memory: flushes cost nothing", file=sys.stderr)
    _raise_file_limit()
    failed = False
    for suite in chosen:
        result = _run(suite, peers[suite.name], clients, options)
        path = results.save(result, options.results_dir)
        _say(f"\n{report.terminal([result])}\nKept as {path.name}\n")
        failed = failed or any(sample.error is not None for sample in result.samples.all)
    return 1 if failed else 0


def _is_chosen(suite: Suite, name: str) -> bool:
    return suite.name == name or (name == _ALL and not suite.on_request)


def _peers(suite: Suite, options: argparse.Namespace) -> list[Peer]:
    kafka, everlog = (Kafka, Everlog) if suite.brokers == 1 else (KafkaCluster, EverlogCluster)
    kinds: tuple[Peer, ...] = (
        kafka(archived=suite.archived),
        everlog(settings=options.settings, tiered=options.tiered),
    )
    if options.only not in (None, *suite.peers):
        raise BenchError(f"{options.only} takes no part in {suite.name}")
    wanted = suite.peers if options.only is None else (options.only,)
    return [peer for peer in kinds if peer.name in wanted]


def _run(
    suite: Suite, peers: Sequence[Peer], clients: Clients, options: argparse.Namespace
) -> Result:
    rounds = options.rounds or (1 if options.quick else suite.rounds)
    lengths = _lengths(options)
    versions = {"librdkafka": clients.librdkafka_version(), **suite.versions()}
    for peer in peers:
        versions.update(peer.versions())
    started = dt.datetime.now(dt.UTC)
    load_before = os.getloadavg()
    _say(f"{suite.name}: {rounds} rounds of {', '.join(peer.name for peer in peers)}")
    if load_before[0] > 1:
        _say(f"  others are at work here (load {load_before[0]:.1f}): ratios will spread")
    with page_cache(options.work_dir, machine.memory_bytes()) as cache:
        samples = Schedule(
            suite=suite,
            peers=peers,
            rounds=rounds,
            lengths=lengths,
            clients=clients,
            work_dir=options.work_dir,
            say=_say,
            prepare_turn=cache.fill,
        ).run()
    return Result(
        suite=suite.name,
        started=started.strftime("%Y%m%dT%H%M%SZ"),
        machine=machine.describe(options.work_dir),
        versions=versions,
        options={
            "rounds": rounds,
            "rounds_min": suite.rounds,
            "peers": suite.peers,
            "quick": options.quick,
            "tiered": options.tiered,
            **asdict(lengths),
        },
        load_before=load_before,
        load_after=os.getloadavg(),
        samples=samples,
    )


def _show(options: argparse.Namespace) -> int:
    if options.files:
        shown = results.load(options.files)
    else:
        found = results.newest(results.load(options.results_dir.glob("*.json")))
        shown = [found[name] for name in SUITES if name in found]
    if not shown:
        raise BenchError("no results of both peers in five full rounds yet: run `make bench`")
    print(report.markdown(shown))
    return 0


def _lengths(options: argparse.Namespace) -> Lengths:
    lengths = QUICK if options.quick else FULL
    return lengths if options.gib is None else replace(lengths, scan_gib=options.gib)


def _raise_file_limit() -> None:
    """Servers of thousands of partitions inherit the limit from here."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _say(line: str) -> None:
    print(line, flush=True)


def _stop(signum: int, frame: FrameType | None) -> None:
    del signum, frame
    raise KeyboardInterrupt
