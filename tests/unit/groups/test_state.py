import pytest

from service.groups.state import GroupState, may_follow

EMPTY, PREPARING = GroupState.EMPTY, GroupState.PREPARING_REBALANCE
COMPLETING, STABLE, DEAD = GroupState.COMPLETING_REBALANCE, GroupState.STABLE, GroupState.DEAD

ALLOWED = {
    (EMPTY, PREPARING),
    (PREPARING, COMPLETING),
    (PREPARING, EMPTY),
    (COMPLETING, STABLE),
    (COMPLETING, PREPARING),
    (STABLE, PREPARING),
}


@pytest.mark.parametrize("following", GroupState)
@pytest.mark.parametrize("state", GroupState)
def test_a_group_goes_no_other_way(state: GroupState, following: GroupState) -> None:
    assert may_follow(state, following) == ((state, following) in ALLOWED)


def test_states_are_called_as_kafka_calls_them() -> None:
    assert [state.value for state in GroupState] == [
        "Empty",
        "PreparingRebalance",
        "CompletingRebalance",
        "Stable",
        "Dead",
    ]
