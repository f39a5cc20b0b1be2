"""A store that cannot be used is said to be so within seconds, where people look."""

import http.client
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from everlog.testing import RunningServer, running_server
from tests.conformance.waiting import wait_until_true
from tests.integration.command import Command
from tests.waiting import wait_until

NOWHERE = "s3://b/x?endpoint=http://127.0.0.1:1&region=us-east-1"


BUDGET_BYTES = 1 << 20


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        with running_server(store_url=NOWHERE, log_local_disk_high=BUDGET_BYTES) as running:
            yield running


def readiness(server: RunningServer) -> tuple[int, str]:
    connection = http.client.HTTPConnection(server.http_url.removeprefix("http://"), timeout=20)
    connection.request("GET", "/readyz")
    answer = connection.getresponse()
    found = answer.status, answer.read().decode()
    connection.close()
    return found


def log_bytes(server: RunningServer) -> int:
    return sum(each.stat().st_size for each in server.data_dir.glob("logs/*/*/*.log"))


def test_a_store_that_does_not_answer_degrades_the_broker_and_is_in_its_log(
    server: RunningServer,
) -> None:
    wait_until_true(lambda: '"store_not_reached"' in server.log_path.read_text())
    wait_until_true(lambda: readiness(server)[0] == 200)
    status, text = readiness(server)
    assert status == 200
    assert text.startswith("ok\ndegraded: ")
    assert "127.0.0.1:1" in text


@pytest.mark.rule("TIER-11")
@pytest.mark.rule("TIER-23")
def test_a_store_that_was_never_reached_does_not_let_the_disk_fill_up(
    server: RunningServer,
) -> None:
    producer = Producer({"bootstrap.servers": server.bootstrap, "batch.size": 128 << 10})
    for _ in range(4 * BUDGET_BYTES >> 16):
        producer.produce("t", b"." * (64 << 10))
    wait_until_true(lambda: "producers are refused" in readiness(server)[1])
    producer.purge()
    producer.flush(20)
    # The transfer process may be slower to try the store than producers are to fill the disk.
    wait_until_true(lambda: "127.0.0.1:1" in readiness(server)[1])
    status, text = readiness(server)
    assert status == 200
    assert "log.local.disk.critical" in text
    # What was let in counts at once, and is in the files a little later.
    wait_until_true(lambda: log_bytes(server) > BUDGET_BYTES)
    assert log_bytes(server) < 2 * BUDGET_BYTES


@pytest.mark.parametrize("place", ["/proc/x", "/dev/null", "/dev/null/x"])
def test_a_directory_that_cannot_be_made_refuses_the_start(tmp_path: Path, place: str) -> None:
    program = str(Path(sys.executable).with_name("everlog"))
    words = ["dev", "--data-dir", str(tmp_path), "--port", "0", "--http-port", "0"]
    done = subprocess.run(
        [program, *words, "--store", f"file://{place}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={k: v for k, v in os.environ.items() if not k.startswith("EVERLOG_")},
    )
    assert done.returncode == 1
    assert done.stdout == ""
    last = done.stderr.splitlines()[-1]
    assert last.startswith("everlog: the store file:///")
    assert "cannot be made" in last


def test_commands_tell_what_they_can_while_the_first_record_is_in_a_store_that_is_away(
    tmp_path: Path,
) -> None:
    data_dir, settings = tmp_path / "data", {"log_local_retention_bytes": 1, "num_partitions": 1}
    with running_server(data_dir, log_retention_check_interval_ms=50, **settings) as running:
        everlog = Command(running.bootstrap)
        everlog.out("topic", "create", "flights", "-c", "segment.bytes=1048576")

        def is_released() -> bool:
            everlog.out("produce", "flights", stdin=b"x" * 500_000 + b"\n")
            return bool(everlog.facts("tier", "status")[0]["local_start"])

        wait_until(is_released, running.log_tail)
        running.restart()  # what it knows of the archive is not in its memory any more
        (data_dir / "store").rename(tmp_path / "away")
        (data_dir / "store").write_text("not a directory")
        (facts,) = everlog.facts("tier", "status")
        assert facts["archived_end"] > 0
        assert facts["oldest_ms"] is None
        assert everlog.facts("topic", "list")[0]["topic"] == "flights"
        everlog.out("topic", "describe", "flights")
        (data_dir / "store").unlink()
        (tmp_path / "away").rename(data_dir / "store")
