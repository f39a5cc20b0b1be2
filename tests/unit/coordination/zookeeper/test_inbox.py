import asyncio
import threading
from functools import partial

from service.coordination.zookeeper.inbox import Inbox


async def test_what_other_threads_put_in_comes_out_on_the_loop_and_in_order() -> None:
    inbox, seen, threads, done = Inbox(asyncio.get_running_loop()), [], set[int](), asyncio.Event()

    def deliver(number: int) -> None:
        seen.append(number)
        threads.add(threading.get_ident())
        if number == 999:
            done.set()

    def put() -> None:
        for number in range(1000):
            inbox.put(partial(deliver, number))

    other = threading.Thread(target=put)
    other.start()
    async with asyncio.timeout(30):
        await done.wait()
    other.join()
    assert seen == list(range(1000))
    assert threads == {threading.get_ident()}


async def test_what_a_delivery_puts_in_is_delivered_too() -> None:
    inbox, seen = Inbox(asyncio.get_running_loop()), list[str]()
    inbox.put(lambda: inbox.put(lambda: seen.append("second")))
    for _ in range(3):
        await asyncio.sleep(0)
    assert seen == ["second"]


def test_what_comes_after_the_loop_is_dropped() -> None:
    loop = asyncio.new_event_loop()
    inbox = Inbox(loop)
    loop.close()
    inbox.put(lambda: None)
