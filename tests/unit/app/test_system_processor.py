"""What the system tells of a thread that waits for a processor."""

import sys
import time

import pytest

from service.app.system_processor import SystemProcessor


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_a_thread_that_lets_others_go_first_has_more_turns() -> None:
    processor = SystemProcessor()
    before = processor.waits()
    for _ in range(20):
        time.sleep(0.0001)
    after = processor.waits()
    assert before is not None
    assert after is not None
    assert after.times >= before.times + 20
    assert after.seconds >= before.seconds
