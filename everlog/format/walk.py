"""Steps through a manifest's pages that leave the fetching to whoever drives them.

A walk is a generator: it yields the id of the page that it needs and is sent the page. No search
needs more than two pages one after the other at ten million objects.
"""

from collections.abc import Awaitable, Callable, Generator
from typing import TypeAlias, TypeVar

from everlog.format.page import Page
from everlog.format.page_refs import PageId

ResultT = TypeVar("ResultT")

Walk: TypeAlias = Generator[PageId, Page, ResultT]


def drive(walk: Walk[ResultT], load: Callable[[PageId], Page]) -> ResultT:
    """Take a walk to its end with pages from ``load``; its errors end the walk."""
    try:
        wanted = next(walk)
        while True:
            wanted = walk.send(load(wanted))
    except StopIteration as end:
        result: ResultT = end.value
        return result


async def drive_async(walk: Walk[ResultT], load: Callable[[PageId], Awaitable[Page]]) -> ResultT:
    """Take a walk to its end like `drive`, waiting for each page."""
    try:
        wanted = next(walk)
        while True:
            wanted = walk.send(await load(wanted))
    except StopIteration as end:
        result: ResultT = end.value
        return result
