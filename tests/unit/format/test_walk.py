import pytest

from everlog.format.entries import entry_table
from everlog.format.page import Page
from everlog.format.page_refs import ENTRY_PAGE, PageId
from everlog.format.walk import Walk, drive, drive_async
from everlog.model.errors import RetriableError
from tests.unit.format.samples import entry, uid


def page_id(base: int) -> PageId:
    return PageId(
        level=ENTRY_PAGE, offsets=entry(base, base + 1).offsets, uid=uid(base), sha256=bytes(32)
    )


def load(page: PageId) -> Page:
    base = page.offsets.start
    return Page(id=page, rows=entry_table(base, [entry(base, base + 1)]))


def two_steps() -> Walk[list[int]]:
    first = yield page_id(1)
    second = yield page_id(2)
    return [first.rows.base, second.rows.base]


def no_steps() -> Walk[str]:
    yield from ()
    return "found"


def test_a_walk_gets_the_pages_that_it_asks_for() -> None:
    assert drive(two_steps(), load) == [1, 2]
    assert drive(no_steps(), load) == "found"


async def test_a_walk_can_be_driven_by_a_coroutine() -> None:
    async def load_later(page: PageId) -> Page:
        return load(page)

    assert await drive_async(two_steps(), load_later) == [1, 2]
    assert await drive_async(no_steps(), load_later) == "found"


@pytest.mark.rule("TIER-32")
async def test_a_page_that_cannot_be_loaded_ends_the_walk_with_its_error() -> None:
    def fail(page: PageId) -> Page:
        raise RetriableError(page)

    async def fail_later(page: PageId) -> Page:
        return fail(page)

    with pytest.raises(RetriableError):
        drive(two_steps(), fail)
    with pytest.raises(RetriableError):
        await drive_async(two_steps(), fail_later)
