"""Every client waits for room on the broker's disk, and loses nothing (``make conformance``)."""

import http.client
import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from everlog.testing import RunningServer, running_server
from tests.conformance.client import Surroundings
from tests.conformance.clients.catalogue import JAVA_ENV, Kind, kinds
from tests.conformance.clients.confluent import ConfluentClient
from tests.conformance.records import (
    PARTITIONS,
    Shape,
    assert_same,
    make_records,
    without_timestamps,
)
from tests.conformance.waiting import wait_until_true

BUDGET_BYTES = 4 << 20
SETTINGS = {
    "log_local_disk_high": BUDGET_BYTES,
    "log_local_disk_critical": BUDGET_BYTES,
    "remote_storage_enable": "false",
    "num_partitions": PARTITIONS,
}
BALLAST = "ballast"
RECORDS = 2000
REFUSED = re.compile(r"^everlog_local_disk_refused_batches_total (\S+)$", re.MULTILINE)

pytestmark = pytest.mark.skipif(
    not os.environ.get(JAVA_ENV), reason="the long form, with Java: make conformance"
)


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server(**SETTINGS) as running:
        yield running


def refused(server: RunningServer) -> float:
    """Return how many batches the broker has refused."""
    lines = server.log_path.read_text().splitlines()
    (ready,) = (json.loads(line) for line in lines if '"broker_ready"' in line)
    connection = http.client.HTTPConnection(ready["admin"].removeprefix("http://"), timeout=20)
    connection.request("GET", "/metrics")
    found = REFUSED.search(connection.getresponse().read().decode())
    connection.close()
    assert found is not None
    return float(found[1])


@pytest.mark.parametrize("patient", kinds(), ids=lambda kind: kind.name)
def test_a_producer_that_is_refused_waits_and_delivers_everything_once_in_order(
    patient: Kind, server: RunningServer, tmp_path: Path
) -> None:
    reason = patient.missing()
    if reason is not None:
        pytest.skip(reason)
    surroundings = Surroundings(bootstrap=server.bootstrap, directory=tmp_path)
    reference = ConfluentClient(surroundings)
    for topic in (BALLAST, patient.name):
        reference.admin.create_topic(topic, PARTITIONS, {})
        wait_until_true(lambda topic=topic: reference.admin.is_led(topic, range(PARTITIONS)))
    client = patient.start(surroundings)
    records = make_records(RECORDS, patient.shape)
    try:
        _fill(reference)
        before = refused(server)
        with ThreadPoolExecutor(1) as thread:
            done = thread.submit(
                client.produce, patient.name, records, codec="none", idempotent=True
            )
            wait_until_true(lambda: refused(server) > before + 1)
            assert not done.done()
            reference.admin.delete_topic(BALLAST)
            done.result(60)
        found = reference.consume(patient.name, RECORDS)
    finally:
        client.close()
        reference.admin.delete_topic(patient.name)
    if patient.shape.timestamps:
        assert_same(found, records)
    else:
        assert_same(without_timestamps(found), without_timestamps(records))


def _fill(reference: ConfluentClient) -> None:
    """Leave less room than the records need."""
    (record, *_) = make_records(1, Shape())
    size = 64 << 10
    heavy = [
        record._replace(partition=0, offset=number, value=b"." * size)
        for number in range(BUDGET_BYTES // size - 1)
    ]
    reference.produce(BALLAST, heavy, codec="none", idempotent=True)
