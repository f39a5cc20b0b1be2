"""Rounds alternate, failures stay where they happen, and nothing is left on the disk."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.block import QUICK, Block, Notebook
from bench.client import Clients
from bench.errors import BenchError
from bench.peers.peer import Archive, Flush
from bench.schedule import Schedule
from bench.server import Site
from bench.suites import Suite


@dataclass
class StillPeer:
    """A peer that is never started; it keeps what it was asked to format."""

    name: str
    role_words: Mapping[str, str] = field(default_factory=dict)
    brokers: int = 1
    archive: Archive | None = None
    formatted: list[Path] = field(default_factory=list)

    def prepare(self) -> None: ...

    def versions(self) -> Mapping[str, str]:
        return {}

    def format(self, data_dir: Path, port: int) -> None:
        assert port > 0
        data_dir.mkdir(parents=True)
        self.formatted.append(data_dir)

    def command(self, data_dir: Path, port: int, settings: Sequence[str]) -> Sequence[str]:
        raise AssertionError((data_dir, port, settings))

    def topic_config(self, flush: Flush) -> Mapping[str, str]:
        raise AssertionError(flush)


def schedule(
    suite: Suite,
    peers: Sequence[StillPeer],
    tmp_path: Path,
    rounds: int,
    prepare_turn: Callable[[], None] = lambda: None,
) -> Schedule:
    return Schedule(
        suite=suite,
        peers=peers,
        rounds=rounds,
        lengths=QUICK,
        clients=Clients(tmp_path / "clients"),
        work_dir=tmp_path / "work",
        say=lambda _: None,
        prepare_turn=prepare_turn,
    )


def fail(reason: str) -> None:
    raise BenchError(reason)


def test_each_round_is_the_disk_and_then_every_peer(tmp_path: Path) -> None:
    def baseline(_: Clients, notebook: Notebook, directory: Path) -> None:
        assert directory.is_dir()
        notebook.note("plain", {})

    suite = Suite(
        name="s", run=lambda block: block.note("c", {}), comparisons=(), baseline=baseline
    )
    samples = schedule(suite, [StillPeer("a"), StillPeer("b")], tmp_path, 2).run()
    assert [(sample.round, sample.peer) for sample in samples.all] == [
        (0, "disk"),
        (0, "a"),
        (0, "b"),
        (1, "disk"),
        (1, "a"),
        (1, "b"),
    ]


def test_memory_is_made_alike_before_each_turn(tmp_path: Path) -> None:
    happened: list[str] = []

    def run(block: Block) -> None:
        assert happened[-1] == "prepared"
        block.note("c", {})
        happened.append("measured")

    suite = Suite(name="s", run=run, comparisons=(), baseline=None)
    peers = [StillPeer("a"), StillPeer("b")]
    schedule(suite, peers, tmp_path, 2, lambda: happened.append("prepared")).run()
    assert happened == ["prepared", "measured"] * 4


def test_a_turn_that_fails_is_noted_and_the_next_goes_on(tmp_path: Path) -> None:
    def run(block: Block) -> None:
        with block.attempt("first"):
            fail("no")
        block.note("second", {"mb_per_s": 1.0})
        fail("over")

    samples = schedule(Suite(name="s", run=run, comparisons=()), [StillPeer("a")], tmp_path, 2)
    noted = [(s.round, s.case, s.error) for s in samples.run().all]
    once = [("first", "no"), ("second", None), ("*", "over")]
    assert noted == [(turn, case, error) for turn in (0, 1) for case, error in once]


def test_a_fresh_site_is_new_each_round_and_a_kept_one_is_filled_once(tmp_path: Path) -> None:
    filled: list[Site] = []
    seen: list[Site] = []

    def run(block: Block) -> None:
        block.fresh_site()
        seen.append(block.kept_site(filled.append))
        seen.append(block.kept_site(filled.append, "another"))

    peers = [StillPeer("a"), StillPeer("b")]
    schedule(Suite(name="s", run=run, comparisons=()), peers, tmp_path, 2).run()
    assert [len(set(peer.formatted)) for peer in peers] == [4, 4]
    assert len(filled) == 4
    assert seen == [*filled, *filled]


def test_nothing_is_left_in_the_work_directory(tmp_path: Path) -> None:
    def run(block: Block) -> None:
        (block.fresh_site().data_dir / "log").write_text("x")
        block.kept_site(lambda site: (site.data_dir / "log").touch())

    schedule(Suite(name="s", run=run, comparisons=()), [StillPeer("a")], tmp_path, 1).run()
    assert list((tmp_path / "work").iterdir()) == []
