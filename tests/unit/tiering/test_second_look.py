import pytest

from everlog.format.errors import CorruptObjectError
from everlog.stores.errors import StoreUnavailableError
from service.tiering.second_look import second_look

BAD = CorruptObjectError("root", "a bit")


class Scripted:
    def __init__(self, *outcomes: Exception | int) -> None:
        self.outcomes = list(outcomes)

    async def __call__(self) -> int:
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@pytest.mark.rule("TIER-42")
async def test_what_arrives_damaged_is_read_once_more() -> None:
    read = Scripted(BAD, 7)
    assert await second_look(read) == 7
    assert not read.outcomes


async def test_what_is_damaged_twice_is_damaged() -> None:
    read = Scripted(BAD, BAD, 7)
    with pytest.raises(CorruptObjectError):
        await second_look(read)
    assert read.outcomes == [7]


async def test_other_errors_pass_at_once() -> None:
    read = Scripted(StoreUnavailableError("read", "-", "down"), 7)
    with pytest.raises(StoreUnavailableError):
        await second_look(read)
    assert read.outcomes == [7]
