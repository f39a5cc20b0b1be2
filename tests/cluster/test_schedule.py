"""Which faults come, and how often."""

from collections import Counter
from itertools import islice
from random import Random

from tests.cluster.schedule import (
    DISK,
    KILL,
    NEMESES,
    PARTITION,
    PAUSE,
    POWER,
    STORE,
    ZOOKEEPER,
    named,
    schedule,
)

SOAK_FAULTS = 250
SOAK_MINIMA = {KILL: 70, POWER: 25, PAUSE: 30, PARTITION: 40, ZOOKEEPER: 15, STORE: 20, DISK: 10}


def test_every_nemesis_comes_once_before_any_comes_again() -> None:
    first = list(islice(schedule(Random(1)), len(NEMESES)))
    assert {each.name for each in first} == {each.name for each in NEMESES}


def test_a_soak_has_its_share_of_every_kind_whatever_its_seed() -> None:
    for seed in range(50):
        coming = islice(schedule(Random(seed)), SOAK_FAULTS)
        counted = Counter(kind for each in coming for kind in each.kinds)
        short = {each: counted[each] for each in SOAK_MINIMA if counted[each] < SOAK_MINIMA[each]}
        assert not short, f"seed {seed}"


def test_a_seed_repeats_its_faults() -> None:
    one, other = (list(islice(schedule(Random(7)), 100)) for _ in range(2))
    assert one == other


def test_some_may_be_chosen_by_name() -> None:
    assert [each.number for each in named("wipe", "kill-one")] == ["N12", "N1"]
