"""Which nemesis comes when, seeded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from tests.cluster import nemeses
from tests.cluster.cluster import SESSION_SECONDS
from tests.cluster.nemeses import Act


@dataclass(frozen=True, slots=True, kw_only=True)
class Nemesis:
    """One kind of fault.

    Attributes:
        number: In the plan: N1 kill, N2 kill all, N3 power failures, N4 orderly restarts, N5
            pauses, N6 partitions, N7 slow lines, N8 ZooKeeper, N9 the store, N11 damage, N12 a new
            disk, N16 two at once.
        kind: What it is counted as.
        seconds: How long it lasts, from and to.
        weight: How often it comes, compared with others.
        needs_all: It takes away what one replica has, so that all others have to have it.
    """

    number: str
    name: str
    kind: str
    act: Act
    seconds: tuple[float, float] = (2.0, 6.0)
    weight: float = 1.0
    needs_all: bool = False


_BEYOND_SESSION = (SESSION_SECONDS + 1.0, SESSION_SECONDS + 4.0)

NEMESES: Sequence[Nemesis] = (
    Nemesis(number="N1", name="kill-one", kind="kill -9", act=nemeses.kill_one, weight=6),
    Nemesis(number="N2", name="kill-all", kind="kill -9", act=nemeses.kill_all, seconds=(0, 2)),
    Nemesis(
        number="N3",
        name="power-one",
        kind="power failure",
        act=nemeses.power_failure_of_one,
        seconds=(0, 4),
        weight=2,
    ),
    Nemesis(
        number="N3",
        name="power-all",
        kind="power failure",
        act=nemeses.power_failure_of_all(),
        seconds=(0, 1),
    ),
    Nemesis(
        number="N4", name="rolling", kind="SIGTERM", act=nemeses.restart_one_by_one, seconds=(0, 0)
    ),
    Nemesis(
        number="N5",
        name="pause-short",
        kind="pause",
        act=nemeses.pause_one,
        seconds=(0.5, 2),
        weight=2,
    ),
    Nemesis(
        number="N5", name="pause-long", kind="pause", act=nemeses.pause_one, seconds=_BEYOND_SESSION
    ),
    Nemesis(
        number="N6",
        name="isolate",
        kind="partition",
        act=nemeses.isolate_one,
        seconds=_BEYOND_SESSION,
    ),
    Nemesis(number="N6", name="one-way", kind="partition", act=nemeses.cut_one_way),
    Nemesis(number="N6", name="peers", kind="partition", act=nemeses.cut_between_brokers),
    Nemesis(number="N6", name="clients", kind="partition", act=nemeses.cut_clients_off),
    Nemesis(
        number="N6",
        name="zombie",
        kind="partition",
        act=nemeses.cut_zookeeper_off,
        seconds=_BEYOND_SESSION,
    ),
    Nemesis(number="N6", name="reset", kind="partition", act=nemeses.break_lines, seconds=(0.5, 1)),
    Nemesis(number="N7", name="slow", kind="slow lines", act=nemeses.slow_lines),
    Nemesis(
        number="N8",
        name="zookeeper-kill",
        kind="ZooKeeper",
        act=nemeses.kill_a_zookeeper,
        weight=0.5,
    ),
    Nemesis(
        number="N8",
        name="zookeeper-away",
        kind="ZooKeeper",
        act=nemeses.zookeeper_away,
        seconds=_BEYOND_SESSION,
        weight=0.5,
    ),
    Nemesis(
        number="N8",
        name="session",
        kind="ZooKeeper",
        act=nemeses.expire_a_session,
        seconds=(0.5, 2),
        weight=0.7,
    ),
    Nemesis(number="N9", name="store-faults", kind="store", act=nemeses.faulty_store, weight=1.5),
    Nemesis(number="N9", name="store-away", kind="store", act=nemeses.cut_the_store_off),
    Nemesis(
        number="N11",
        name="damage",
        kind="damage or new disk",
        act=nemeses.damage_one,
        needs_all=True,
        seconds=(0, 1),
        weight=0.5,
    ),
    Nemesis(
        number="N12",
        name="wipe",
        kind="damage or new disk",
        act=nemeses.wipe_one,
        needs_all=True,
        seconds=(0, 1),
        weight=0.5,
    ),
    Nemesis(
        number="N16",
        name="kill-and-partition",
        kind="two at once",
        act=nemeses.both(nemeses.cut_one_way, nemeses.kill_one),
    ),
    Nemesis(
        number="N16",
        name="kill-and-store",
        kind="two at once",
        act=nemeses.both(nemeses.faulty_store, nemeses.kill_one),
    ),
)


def schedule(rng: Random, choice: Sequence[Nemesis] = NEMESES) -> Iterator[Nemesis]:
    """Yield nemeses without end: each once, in some order, and then by their weights."""
    yield from rng.sample(choice, len(choice))
    while True:
        yield from rng.choices(choice, [each.weight for each in choice], k=1)


def named(*names: str) -> list[Nemesis]:
    """Return nemeses by their names."""
    by_name = {each.name: each for each in NEMESES}
    return [by_name[name] for name in names]
