import pytest

from service.protocol.api import VersionRange
from service.protocol.schema_fields import array, int32, string, version_range


@pytest.mark.parametrize(
    ("text", "versions"),
    [("3+", VersionRange(3, 32767)), ("0-12", VersionRange(0, 12)), ("1", VersionRange(1, 1))],
)
def test_ranges_are_written_as_in_the_protocol_guide(text: str, versions: VersionRange) -> None:
    assert version_range(text) == versions


def test_a_field_is_nullable_in_the_versions_that_say_so() -> None:
    field = string("1+", nullable="3-5")
    assert [version for version in range(8) if field.is_nullable(version)] == [3, 4, 5]
    assert not string().is_nullable(0)


def test_an_array_takes_its_element_as_a_declaration() -> None:
    assert array(int32()).element == int32()
