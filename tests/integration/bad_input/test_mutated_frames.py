"""Thousands of broken requests: no defect, no stall, no growth.

2,000 frames by default; ``EVERLOG_FRAMES`` says how many, and ``EVERLOG_FRAMES_SEED`` which.
"""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from service.protocol.messages.api_versions import ApiVersionsRequest
from service.protocol.messages.metadata import MetadataRequest, MetadataRequestTopic
from tests.integration.bad_input.broker_process import BrokerProcess
from tests.integration.bad_input.mutants import Mutants
from tests.integration.bad_input.wire import ClosedByBrokerError, Wire, serves_others

FRAMES = int(os.environ.get("EVERLOG_FRAMES", "2000"))
SEED = int(os.environ.get("EVERLOG_FRAMES_SEED", "1"))
AT_ONCE = 40
GROWTH_BYTES_MAX = 32 * 1024 * 1024

# Generous: other processes share the machine. The figure itself is printed.
STALL_SECONDS_MAX = 3.0


@pytest.fixture
def target(tmp_path: Path) -> Iterator[BrokerProcess]:
    broker = BrokerProcess(tmp_path, **{"auto.create.topics.enable": "false"})
    broker.start()
    yield broker
    broker.stop()


@pytest.mark.rule("REL-5")
@pytest.mark.timeout(120 + FRAMES // 20)
def test_mutated_frames_cause_no_defect_no_stall_and_no_growth(target: BrokerProcess) -> None:
    with Wire(target.address) as good:
        topic = good.create_topic()
        found = good.ask(MetadataRequest(topics=[MetadataRequestTopic(name=topic)]), 10)
        mutants = Mutants(seed=SEED, topic=topic, topic_id=bytes(found.topics[0].topic_id))
        stall = _throw(target, good, mutants, FRAMES // 2)
        warm = target.rss_bytes()
        stall = max(stall, _throw(target, good, mutants, FRAMES - FRAMES // 2))
        growth = target.rss_bytes() - warm
        print(f"{FRAMES} frames: longest stall {stall * 1000:.0f} ms, growth {growth >> 10} KiB")
        assert _defects(target) == []
        assert stall < STALL_SECONDS_MAX
        assert growth < GROWTH_BYTES_MAX
        serves_others(target.address, good.create_topic())


def _throw(target: BrokerProcess, good: Wire, mutants: Mutants, count: int) -> float:
    """Send frames, each over a connection of its own; return the longest that another waited."""
    probe = ApiVersionsRequest(client_software_name="x", client_software_version="1")
    worst = 0.0
    for first in range(0, count, AT_ONCE):
        with ExitStack() as connections:
            for _ in range(min(AT_ONCE, count - first)):
                wire = connections.enter_context(Wire(target.address))
                with suppress(ClosedByBrokerError):
                    wire.send(mutants.frame())
            for _ in range(3):
                began = time.perf_counter()
                assert good.ask(probe, 3).error_code == 0
                worst = max(worst, time.perf_counter() - began)
    return worst


def _defects(target: BrokerProcess) -> list[str]:
    marks = ("request_failed", "Traceback", "exception", "partition_offline", "critical")
    return [line for line in target.log_text().splitlines() if any(m in line for m in marks)]
