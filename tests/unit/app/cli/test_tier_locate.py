"""What people write to locate a record."""

import pytest

from service.app.cli.tier_locate import Target, parse_target

NOW_MS = 1_700_000_000_000


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("t:0", Target(topic="t", partition=0)),
        ("a.b-c:12@34", Target(topic="a.b-c", partition=12, offset=34)),
        ("t:0@2024-01-01", Target(topic="t", partition=0, timestamp_ms=1_704_067_200_000)),
        ("t:0@-3h", Target(topic="t", partition=0, timestamp_ms=NOW_MS - 3 * 3_600_000)),
    ],
)
def test_a_place_is_a_partition_and_an_offset_or_a_time(text: str, target: Target) -> None:
    assert parse_target(text, now_ms=NOW_MS) == target


@pytest.mark.parametrize("text", ["t", ":0", "t:x", "t:0@", "t:0@soon", "t:-1", "@5"])
def test_anything_else_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_target(text, now_ms=NOW_MS)
    assert ended.value.code == 2
    assert "TOPIC:PARTITION" in capsys.readouterr().err
