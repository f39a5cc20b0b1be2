"""A group among clients that come, go, crash and return, with records that fail to be written."""

import pytest

from service.groups.state import GroupState
from tests.unit.groups.crowd import Crowd

SEEDS = range(40)


def _disturbed(seed: int) -> Crowd:
    crowd = Crowd(seed, size=2 + seed % 6)
    for _ in range(150):
        if crowd.random.random() < 0.25:
            crowd.disturb()
        crowd.step(crowd.random.randrange(1, 4_000), fail_rate=0.1)
    return crowd


@pytest.mark.parametrize("seed", SEEDS)
def test_a_group_that_is_left_in_peace_becomes_stable(seed: int) -> None:
    crowd = _disturbed(seed)
    for client in crowd.clients:
        if not client.alive or client.is_fenced:
            client.start()
    for _ in range(300):
        crowd.step(1_000, fail_rate=0)
    group = crowd.stage.group
    assert group.state is GroupState.STABLE
    assert {client.generation for client in crowd.alive} == {group.generation}
    assert {client.member_id for client in crowd.alive} == set(crowd.stage.member_ids)
    assert len(crowd.alive) == len(crowd.clients)
    assert all(client.assignment for client in crowd.alive)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_call_is_forgotten_when_everybody_has_gone(seed: int) -> None:
    crowd = _disturbed(seed)
    asked = {client.ticket for client in crowd.clients if client.ticket is not None}
    for client in crowd.clients:
        client.crash()
    for _ in range(100):
        crowd.step(10_000, fail_rate=0.3)
    stage = crowd.stage
    assert stage.state is GroupState.EMPTY
    assert asked <= set(stage.answers)
    assert stage.group.wake_ms is None
    assert not stage.group.members.pending


@pytest.mark.parametrize("seed", [3, 17])
def test_the_same_seed_is_the_same_story(seed: int) -> None:
    first, second = _disturbed(seed), _disturbed(seed)
    assert list(first.stage.answers) == list(second.stage.answers)
    assert first.stage.group.generation == second.stage.group.generation
