"""A round of the scrubber is asked for through the broker's settings, and followed to its end."""

import json
from pathlib import Path

from everlog.testing.ports import free_port
from tests.conformance.waiting import wait_until_true
from tests.fault.broker_process import BrokerProcess
from tests.integration.test_scrubbing import change_a_byte
from tests.integration.test_store_identity import SETTINGS, write
from tests.integration.test_tier_commands import Tier
from tests.walk.broker_facts import metric


def page_of(running: BrokerProcess) -> str:
    lines = running.log_path.read_text().splitlines()
    ready = [json.loads(line) for line in lines if '"broker_ready"' in line]
    return f"{ready[-1]['admin']}/metrics"


def test_a_round_is_asked_for_and_followed_and_damage_ends_with_1(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path, SETTINGS, store=f"file://{tmp_path}/store") as running:
        write(running.bootstrap)
        wait_until_true(lambda: "segments_released" in running.log_tail())
        wait_until_true(lambda: not metric(running.log_path, "everlog_tier_lag_bytes"))
        tier, page = Tier(running.bootstrap), page_of(running)
        assert "with --set admin.port=PORT" in tier.refusal("scrub", status=1)
        silent = tier.refusal("scrub", "--metrics", "http://127.0.0.1:1/metrics", status=1)
        assert "http://127.0.0.1:1/metrics does not answer" in silent
        assert "add --now" in tier.refusal("scrub", "--watch", "--metrics", page, status=1)
        assert "no round since" in tier.out("scrub", "--metrics", page)
        facts = tier.facts("scrub", "--now", "--watch", "--metrics", page)
        objects = sorted((tmp_path / "store").rglob("*.seg"))
        assert (facts["asked_ratio"], facts["asked_objects"]) == (1.0, len(objects))
        assert facts["asked_bytes"] == sum(each.stat().st_size for each in objects)
        change_a_byte(objects[0])
        assert tier.facts("scrub", "--now")["asked_ms"] > facts["asked_ms"]
        wait_until_true(lambda: metric(running.log_path, "everlog_tier_scrub_unsound_objects"))
        done = tier.facts("scrub", "--watch", "--metrics", page, status=1)
        assert done["unsound_objects"] == 1
        running.stop()


def test_a_page_at_a_port_that_is_set_is_found(tmp_path: Path) -> None:
    port = free_port()
    with BrokerProcess(tmp_path, {**SETTINGS, "admin.port": str(port)}) as running:
        assert Tier(running.bootstrap).facts("scrub")["looks"] == 0
        running.stop()


def test_a_broker_that_does_not_scrub_is_asked_in_vain(tmp_path: Path) -> None:
    off = {**SETTINGS, "archive.scrub.bytes.per.day": "0"}
    with BrokerProcess(tmp_path, off) as running:
        tier = Tier(running.bootstrap)
        assert "turned off" in tier.refusal("scrub", "--now", status=1)
        running.stop()
