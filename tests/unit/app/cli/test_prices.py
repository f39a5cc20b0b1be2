"""Prices can be brought along; requests are counted as the uploader and the reader make them."""

from pathlib import Path

import pytest

from service.app.cli.archive_sums import ArchiveSums
from service.app.cli.prices import Prices, money_text, read_prices
from service.app.cli.tier_cost import GIB, cost_facts, gets_of, puts_of

MIB = 1 << 20


def test_what_a_table_does_not_say_is_as_on_the_list(tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text('currency = "EUR"\nget_1000 = 0\n')
    found = read_prices(file)
    assert (found.currency, found.get_1000, found.put_1000) == ("EUR", 0, Prices().put_1000)
    assert found.name == f"--prices {file}"
    assert read_prices(None) == Prices()


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("put = 1", "put is no price"),
        ("put_1000 = -1", "put_1000 is -1"),
        ("put_1000 = true", "put_1000 is True"),
        ("currency = 5", "currency is 5"),
        ("= 5", "--prices"),
    ],
)
def test_a_table_that_is_none_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, part: str
) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(text)
    with pytest.raises(SystemExit) as ended:
        read_prices(file)
    assert ended.value.code == 2
    assert part in capsys.readouterr().err


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0"),
        (1234.5, "1,234.50"),
        (0.5, "0.50"),
        (0.023, "0.023"),
        (0.0004, "0.00040"),
        (0.000426, "0.00043"),
    ],
)
def test_small_amounts_keep_two_digits_that_count(amount: float, text: str) -> None:
    assert money_text(amount) == text


def test_large_objects_take_a_request_for_each_part() -> None:
    assert puts_of(64 * MIB) == pytest.approx(3, abs=0.01)
    assert puts_of(128 * MIB) == pytest.approx(2 + 2 + 2, abs=0.01)
    assert gets_of(64 * MIB, range_bytes=4 * MIB) == 17
    assert gets_of(64 * MIB + 1, range_bytes=4 * MIB) == 18


def test_costs_go_by_the_objects_that_there_are() -> None:
    archive = {n: ArchiveSums(objects=8, bytes=GIB // 2, max_timestamp_ms=None) for n in (0, 1)}
    facts = cost_facts(archive, Prices(out_gib=0.09), range_bytes=4 * MIB)
    assert facts is not None
    assert facts["month"] == pytest.approx(0.023)
    assert facts["write_gib"] == pytest.approx(16 * (3 * 0.005 + 0.0004) / 1000, rel=0.01)
    assert facts["scan_gib"] == pytest.approx(16 * 17 * 0.0004 / 1000 + 0.09)
    assert facts["scan"] == pytest.approx(facts["scan_gib"])
    assert cost_facts({}, Prices(), range_bytes=1) is None
