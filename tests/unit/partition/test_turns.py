import asyncio

from service.partition.turns import Turns


async def test_one_that_waits_to_try_again_makes_room_for_another() -> None:
    turns = Turns(turns_max=1)
    turns.begin()
    assert not turns.has_room
    waiting = asyncio.ensure_future(turns.pause("a", 60))
    await asyncio.sleep(0)
    assert turns.has_room
    assert turns.changed.is_set()
    turns.begin()
    assert not turns.has_room
    waiting.cancel()
    await asyncio.wait([waiting])
    turns.end()
    turns.end()
    assert turns.has_room


async def test_the_uploads_of_one_partition_make_room_for_one() -> None:
    turns = Turns(turns_max=1)
    turns.begin()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(3):
            tasks.create_task(turns.pause("a", 0.01))
        await asyncio.sleep(0)
        turns.begin()
        assert not turns.has_room


async def test_no_more_than_so_many_are_put_aside() -> None:
    turns = Turns(turns_max=1, aside_max=2)
    async with asyncio.TaskGroup() as tasks:
        for name in "abc":
            turns.begin()
            tasks.create_task(turns.pause(name, 0.01))
        await asyncio.sleep(0)
        assert not turns.has_room
