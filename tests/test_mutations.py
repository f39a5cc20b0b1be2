"""The table of mutations is up to date: each text is there, and each rule that is held has a row.

`make mutations` carries them out.
"""

import pytest

from tests.mutation.mutations import Mutation, mutated, mutations
from tests.test_failure_modes import carriers, page

ALL = mutations()


@pytest.mark.parametrize("mutation", ALL, ids=lambda each: each.name)
def test_what_a_mutation_takes_out_is_in_the_code(mutation: Mutation) -> None:
    assert all(path.read_text() != text for path, text in mutated(mutation).items())


@pytest.mark.parametrize("mutation", ALL, ids=lambda each: each.name)
def test_the_tests_of_a_mutation_carry_its_rule(mutation: Mutation) -> None:
    assert set(mutation.tests) <= carriers()[int(mutation.rule.removeprefix("TIER-"))]


def test_each_rule_that_is_held_can_be_taken_out() -> None:
    held = {row for row, (_, tests) in page().items() if tests}
    assert held == {int(each.rule.removeprefix("TIER-")) for each in ALL}
