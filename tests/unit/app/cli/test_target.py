import pytest

from service.app.cli.client_library import (
    INVALID_RECORD,
    INVALID_TOPIC,
    TOO_LARGE,
    UNKNOWN_PARTITION,
)
from service.app.cli.target import Refusal, Target, reason

TARGET = Target(topic="orders", partitions=[0], batch_bytes_max=1000, is_compacted=True)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (TOO_LARGE, "line 3 has 2,000 bytes; orders takes at most 1,000 (max.message.bytes)"),
        (INVALID_RECORD, "line 3 has no key, and orders is compacted; see --key-sep"),
        (INVALID_TOPIC, "orders is written by the broker itself"),
        (UNKNOWN_PARTITION, "orders has no partition 77; its last one is 0"),
        (-1, "as the client says it"),
    ],
)
def test_a_refusal_says_which_line_and_which_limit(code: int, text: str) -> None:
    refusal = Refusal(code=code, text="as the client says it", line=3, size=2000)
    assert reason(refusal, TARGET, {"partition": 77}) == text
