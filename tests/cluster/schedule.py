"""Which nemesis comes when, seeded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

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
        kinds: What it is counted as.
        seconds: How long it lasts, from and to.
        cards: How often it comes in a deck of them all.
        needs_all: It takes away what one replica has, so that all others have to have it.
    """

    number: str
    name: str
    kinds: tuple[str, ...]
    act: Act
    seconds: tuple[float, float] = (2.0, 6.0)
    cards: int = 2
    needs_all: bool = False


KILL, POWER, STOP, PAUSE = "kill -9", "power failure", "SIGTERM", "pause"
PARTITION, SLOW, ZOOKEEPER, STORE = "partition", "slow lines", "ZooKeeper", "store"
DISK = "damage or new disk"

_AT_ONCE = (0.0, 1.0)
_BEYOND_SESSION = (SESSION_SECONDS + 1.0, SESSION_SECONDS + 3.0)


def _nemesis(
    number: str, name: str, kinds: str | tuple[str, ...], act: Act, **more: Any
) -> Nemesis:
    some = (kinds,) if isinstance(kinds, str) else kinds
    return Nemesis(number=number, name=name, kinds=some, act=act, **more)


NEMESES: Sequence[Nemesis] = (
    _nemesis("N1", "kill-one", KILL, nemeses.kill_one, cards=16),
    _nemesis("N2", "kill-all", KILL, nemeses.kill_all, seconds=(0, 2)),
    _nemesis("N3", "power-one", POWER, nemeses.power_failure_of_one, seconds=(0, 4), cards=6),
    _nemesis("N3", "power-all", POWER, nemeses.power_failure_of_all(), seconds=_AT_ONCE, cards=3),
    _nemesis("N4", "rolling", STOP, nemeses.restart_one_by_one, seconds=(0, 0)),
    _nemesis("N5", "pause-short", PAUSE, nemeses.pause_one, seconds=(0.5, 2), cards=6),
    _nemesis("N5", "pause-long", PAUSE, nemeses.pause_one, seconds=_BEYOND_SESSION, cards=4),
    _nemesis("N6", "isolate", PARTITION, nemeses.isolate_one, seconds=_BEYOND_SESSION),
    _nemesis("N6", "one-way", PARTITION, nemeses.cut_one_way),
    _nemesis("N6", "peers", PARTITION, nemeses.cut_between_brokers),
    _nemesis("N6", "clients", PARTITION, nemeses.cut_clients_off),
    _nemesis("N6", "zombie", PARTITION, nemeses.cut_zookeeper_off, seconds=_BEYOND_SESSION),
    _nemesis("N6", "reset", PARTITION, nemeses.break_lines, seconds=_AT_ONCE),
    _nemesis("N7", "slow", SLOW, nemeses.slow_lines),
    _nemesis("N8", "zookeeper-kill", ZOOKEEPER, nemeses.kill_a_zookeeper),
    _nemesis(
        "N8", "zookeeper-away", ZOOKEEPER, nemeses.zookeeper_away, seconds=_BEYOND_SESSION, cards=2
    ),
    _nemesis("N8", "session", ZOOKEEPER, nemeses.expire_a_session, seconds=_AT_ONCE),
    _nemesis("N9", "store-faults", STORE, nemeses.faulty_store, cards=4),
    _nemesis("N9", "store-away", STORE, nemeses.cut_the_store_off),
    _nemesis("N11", "damage", DISK, nemeses.damage_one, needs_all=True),
    _nemesis("N12", "wipe", DISK, nemeses.wipe_one, seconds=_AT_ONCE, needs_all=True),
    _nemesis(
        "N16",
        "kill-and-partition",
        (KILL, PARTITION),
        nemeses.both(nemeses.cut_one_way, nemeses.kill_one),
        cards=3,
    ),
    _nemesis(
        "N16",
        "kill-and-store",
        (KILL, STORE),
        nemeses.both(nemeses.faulty_store, nemeses.kill_one),
    ),
)


def schedule(rng: Random, choice: Sequence[Nemesis] = NEMESES) -> Iterator[Nemesis]:
    """Yield nemeses without end: each once, in some order, and then deck after deck of them."""
    yield from rng.sample(choice, len(choice))
    deck = [each for each in choice for _ in range(each.cards)]
    while True:
        yield from rng.sample(deck, len(deck))


def named(*names: str) -> tuple[Nemesis, ...]:
    """Return nemeses by their names."""
    by_name = {each.name: each for each in NEMESES}
    return tuple(by_name[name] for name in names)
