"""How much retention may delete once a hold ends."""

from everlog.format.folding import Folding
from everlog.format.root import Root
from everlog.format.walk import drive
from service.app.cli.release_preview import Expiry, LocalPart, may_expire
from service.tiering.retention import Limits
from tests.unit.format.samples import NOW_MS, Pages
from tests.unit.format.test_retention import root_of

ARCHIVED = LocalPart(log_start=0, local_start=50, end=50, bytes=0)


def preview(
    root: Root, limits: Limits, local: LocalPart = ARCHIVED, pages: Pages | None = None
) -> Expiry:
    return drive(may_expire(root, limits, local, now_ms=NOW_MS), (pages or Pages()).load)


def test_what_is_older_than_its_time_goes_with_all_before_it() -> None:
    old = NOW_MS - 100
    found = preview(root_of([old, old, NOW_MS, old, NOW_MS]), Limits(50, None))
    assert (found.offsets.start, found.offsets.end, found.objects.entries) == (0, 20, 2)
    assert found.objects.data_bytes == 2000


def test_without_limits_nothing_goes() -> None:
    assert preview(root_of([1] * 5), Limits(None, None)).objects.entries == 0


def test_bytes_that_are_not_archived_yet_count_as_far_as_there_can_be_any() -> None:
    root, limits = root_of([1] * 5), Limits(None, 3000)
    assert preview(root, limits).objects.entries == 2
    # Of 4,000 local bytes the archive has at least 2,000, so 2,000 are new.
    waiting = LocalPart(log_start=0, local_start=30, end=70, bytes=4000)
    assert preview(root, limits, waiting).objects.entries == 4
    # The disk may have but the end of the object of offset 25.
    amid = LocalPart(log_start=0, local_start=25, end=70, bytes=4000)
    assert preview(root, limits, amid).objects.entries == 4


def test_of_pages_that_go_whole_none_is_read() -> None:
    pages = Pages()
    root = root_of([NOW_MS - 100] * 8, folding=Folding(entries=4), pages=pages)
    unread = Pages()
    assert preview(root, Limits(50, None), pages=unread).objects.entries == 8
