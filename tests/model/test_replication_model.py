"""The rules of replication hold in every state that a small cluster can come to.

``make model`` goes on into larger ones, as far as memory allows.
"""

import os

import pytest

from tests.model.bounds import Bounds
from tests.model.checker import Search, search
from tests.model.planted import PLANTED
from tests.model.replication import Model
from tests.model.rules import REAL, Rules
from tests.model.scenarios import LARGE, SMALL

STATES_MAX = int(os.environ.get("EVERLOG_TEST_MODEL_STATES", "0"))
"""Of each large world; without it there are none."""

SMALL_STATES_MAX = 250_000
"""More than any small world has."""

LATER = LARGE if STATES_MAX else {}

CONTROLS = [name for name, (_, bounds) in PLANTED.items() if bounds not in SMALL.values()]
"""Those whose world is not searched with the real rules anyhow."""


def searched(bounds: Bounds, rules: Rules = REAL, *, states_max: int = SMALL_STATES_MAX) -> Search:
    model = Model(bounds, rules)
    return search(model.start(), model.steps, model.fault_of, states_max=states_max)


@pytest.mark.rule("REL-I1")
@pytest.mark.rule("BP-7")
@pytest.mark.parametrize("name", SMALL)
def test_whoever_can_be_elected_has_all_that_is_committed(name: str) -> None:
    found = searched(SMALL[name])
    assert found.fault is None, str(found)
    assert found.is_whole, str(found)


@pytest.mark.parametrize("name", PLANTED)
def test_a_broken_rule_is_found(name: str) -> None:
    rules, bounds = PLANTED[name]
    found = searched(bounds, rules)
    assert found.fault is not None, str(found)


@pytest.mark.parametrize("name", CONTROLS)
def test_where_a_broken_rule_is_found_the_real_ones_hold(name: str) -> None:
    found = searched(PLANTED[name][1])
    assert found.fault is None, str(found)
    assert found.is_whole, str(found)


@pytest.mark.parametrize("name", LATER or [pytest.param("", marks=pytest.mark.skip("make model"))])
def test_it_is_so_in_larger_worlds(name: str) -> None:
    found = searched(LARGE[name], states_max=STATES_MAX)
    print(f"\n{name}: {found}")
    assert found.fault is None, str(found)
