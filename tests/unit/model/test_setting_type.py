import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.model.setting_type import (
    INT_MAX,
    LONG_MAX,
    SettingType,
    in_plain_units,
    write,
)

WORDS = st.text(alphabet="abcdefghij:._-", min_size=1)


@given(st.integers(-LONG_MAX - 1, LONG_MAX))
def test_every_long_survives_being_written_and_read(value: int) -> None:
    assert SettingType.LONG.read(write(value)) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_survives_being_written_and_read(value: float) -> None:
    assert SettingType.DOUBLE.read(write(value)) == value


@given(st.lists(WORDS))
def test_every_list_survives_being_written_and_read(entries: list[str]) -> None:
    assert SettingType.LIST.read(write(tuple(entries))) == tuple(entries)


@given(st.booleans())
def test_both_booleans_survive_being_written_and_read(value: bool) -> None:  # noqa: FBT001
    assert SettingType.BOOLEAN.read(write(value)) is value


@given(st.text(), st.sampled_from(SettingType))
def test_no_text_breaks_a_reader(text: str, kind: SettingType) -> None:
    value = kind.read(text)
    assert value is None or isinstance(value, bool | int | float | str | tuple)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (SettingType.BOOLEAN, " TRUE ", True),
        (SettingType.BOOLEAN, "yes", None),
        (SettingType.BOOLEAN, "1", None),
        (SettingType.INT, " 7 ", 7),
        (SettingType.INT, "-1", -1),
        (SettingType.INT, "+5", 5),
        (SettingType.INT, "1_000", None),
        (SettingType.INT, "٣", None),
        (SettingType.INT, "1.0", None),
        (SettingType.INT, "", None),
        (SettingType.INT, "9" * 5000, None),
        (SettingType.DOUBLE, "0.5", 0.5),
        (SettingType.DOUBLE, ".5", 0.5),
        (SettingType.DOUBLE, "1e3", 1000.0),
        (SettingType.DOUBLE, "NaN", None),
        (SettingType.DOUBLE, "Infinity", None),
        (SettingType.DOUBLE, "1e999", None),
        (SettingType.LIST, "", ()),
        (SettingType.LIST, "a, b ,c", ("a", "b", "c")),
        (SettingType.LIST, "a,,b", ("a", "", "b")),
        (SettingType.STRING, "  x ", "x"),
    ],
)
def test_texts_are_read_as_kafka_reads_them(kind: SettingType, text: str, value: object) -> None:
    read = kind.read(text)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (86_400_000, "86400000"),
        (0.5, "0.5"),
        (1.0, "1.0"),
        (0.0, "0.0"),
        (0.0001, "1.0E-4"),
        (15_000_000.0, "1.5E7"),
        (-123_456_789.25, "-1.2345678925E8"),
        (("compact", "delete"), "compact,delete"),
        ((), ""),
    ],
)
def test_values_are_written_as_kafka_prints_them(value: object, text: str) -> None:
    assert write(value) == text  # type: ignore[arg-type]


@pytest.mark.rule("TIER-16")
def test_only_numbers_have_bounds() -> None:
    assert SettingType.INT.bounds == (-INT_MAX - 1, INT_MAX)
    assert SettingType.LONG.bounds == (-LONG_MAX - 1, LONG_MAX)
    assert SettingType.DOUBLE.bounds == (-math.inf, math.inf)
    assert SettingType.STRING.bounds is None


@pytest.mark.parametrize(
    ("name", "text", "number"),
    [
        ("log.segment.bytes", "64MiB", 64 * 1024**2),
        ("log.segment.bytes", "1 g", 1024**3),
        ("log.segment.bytes", "7d", None),
        ("retention.ms", "7d", 7 * 86_400_000),
        ("retention.ms", "90s", 90_000),
        ("retention.ms", "64MiB", None),
        ("retention.ms", "soon", None),
        ("num.partitions", "3k", None),
    ],
)
def test_a_unit_is_worked_out_where_the_name_tells_which(
    name: str, text: str, number: int | None
) -> None:
    assert in_plain_units(name, text) == number
