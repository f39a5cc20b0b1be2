import pytest

from everlog.model.errors import RejectedError
from everlog.stores.byte_range import larger_than, range_beyond_end, range_end
from everlog.stores.object_key import object_key

KEY = object_key("a/seg")


def test_a_range_has_at_least_one_byte_at_or_after_the_start() -> None:
    assert range_end(0, 1) == 1
    assert range_end(10, 5) == 15
    for start, length in [(0, 0), (-1, 3), (3, -1)]:
        with pytest.raises(RejectedError):
            range_end(start, length)


def test_errors_say_what_was_asked_and_what_there_is() -> None:
    assert (
        str(range_beyond_end(KEY, 5, 15, size=10)) == "read a/seg: [5, 15) goes beyond its 10 bytes"
    )
    assert str(larger_than(KEY, 10, 9)) == "read a/seg: it has 10 bytes, at most 9 expected"
