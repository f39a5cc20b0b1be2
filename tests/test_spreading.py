"""Files that take long are begun first, and only those are written down."""

from dataclasses import dataclass

from tests.spreading import SECONDS_MIN, put_longest_first, worth_keeping


@dataclass
class Test:
    nodeid: str
    __test__ = False


def test_the_longest_file_comes_first_and_each_stays_as_it_is() -> None:
    tests = [Test(name) for name in ("a::z", "a::y", "b::x", "c::w", "b::v")]
    put_longest_first(tests, {"b": 2.0, "c": 9.0})
    assert [test.nodeid for test in tests] == ["c::w", "b::x", "b::v", "a::z", "a::y"]


def test_what_is_quick_is_not_written_down() -> None:
    found = worth_keeping({"a": SECONDS_MIN / 2, "b": 1.04, "c": 3.0})
    assert list(found.items()) == [("c", 3.0), ("b", 1.0)]
