"""How long stays what is no longer part of the archive."""

import pytest

from service.app.cold_logs import retired_ms
from tests.unit.tiering.site import broker_config


@pytest.mark.parametrize(
    ("grace_ms", "window_ms", "expected"), [(1000, 0, 1000), (1000, 5000, 5000), (5000, 1000, 5000)]
)
def test_readers_and_restores_both_find_what_they_still_need(
    grace_ms: int, window_ms: int, expected: int
) -> None:
    settings = {
        "archive.reader.grace.ms": str(grace_ms),
        "archive.restore.window.ms": str(window_ms),
    }
    assert retired_ms(broker_config({"data.dir": "/d", **settings})) == expected
