import pytest

from service.app.cli.marks import Marks


@pytest.mark.parametrize(
    ("archived_end", "archived", "upload_lag"),
    [(None, None, None), (0, 0, 40), (5, 0, 40), (30, 20, 20), (50, 40, 0), (60, 40, 0)],
)
def test_what_is_archived_lies_within_the_log(
    archived_end: int | None, archived: int | None, upload_lag: int | None
) -> None:
    marks = Marks(start=10, end=50, archived_end=archived_end)
    assert (marks.records, marks.archived, marks.upload_lag) == (40, archived, upload_lag)
