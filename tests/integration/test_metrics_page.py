"""The metrics page of a broker: what it says, and that Prometheus's rules for it hold."""

import http.client
import json
import re
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Producer

from everlog.testing import RunningServer, running_server

SAMPLE = re.compile(r"([a-z_:][a-z0-9_:]*)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'([a-z_]+)="([^"]*)"')
SAMPLES_PER_METRIC_MAX = 100
OF_TOPICS = {"everlog_tier_upload_lag_bytes", "everlog_tier_upload_lag_seconds"}
"""Of the topics that are furthest behind, and no more than fifty."""
KINDS = {"counter", "gauge"}
UNITS_THAT_ARE_NO_BASE_UNITS = ("_ms", "_milliseconds", "_kb", "_mb", "_kib", "_mib", "_minutes")


class Page:
    """A metrics page, read."""

    def __init__(self, text: str) -> None:
        self.helps: dict[str, str] = {}
        self.kinds: dict[str, str] = {}
        self.samples: dict[str, dict[str, float]] = {}
        for line in text.splitlines():
            if line.startswith("# HELP "):
                _, _, name, help_text = line.split(" ", 3)
                self.helps[name] = help_text
            elif line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                assert name not in self.kinds, f"{name} is there twice"
                self.kinds[name] = kind
            else:
                match = SAMPLE.fullmatch(line)
                assert match is not None, line
                name, labels, value = match.groups()
                self.samples.setdefault(name, {})[labels or ""] = float(value)

    def value(self, name: str, labels: str = "") -> float:
        return self.samples[name][labels]


def _page(server: RunningServer) -> Page:
    ready = [
        json.loads(line)
        for line in server.log_path.read_text().splitlines()
        if '"broker_ready"' in line
    ]
    host, _, port = ready[-1]["admin"].removeprefix("http://").rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=20)
    connection.request("GET", "/metrics")
    answer = connection.getresponse()
    assert answer.status == 200
    text = answer.read().decode()
    connection.close()
    return Page(text)


@pytest.fixture(scope="module")
def pages() -> Iterator[tuple[Page, Page]]:
    """The page before and after some records went through, and a request that was refused."""
    with running_server() as server:
        before = _page(server)
        producer = Producer({"bootstrap.servers": server.bootstrap})
        for number in range(100):
            producer.produce("t", b"x" * 1000, key=b"%d" % number)
        assert producer.flush(20) == 0
        consumer = Consumer(
            {
                "bootstrap.servers": server.bootstrap,
                "group.id": "g",
                "auto.offset.reset": "earliest",
            }
        )
        consumer.subscribe(["t"])
        seen = 0
        while seen < 100:
            seen += len(consumer.consume(100, timeout=1))
        yield before, _page(server)
        consumer.close()


def test_every_metric_has_help_and_a_type(pages: tuple[Page, Page]) -> None:
    for page in pages:
        assert set(page.samples) <= set(page.kinds)
        assert set(page.helps) == set(page.kinds)
        assert set(page.kinds.values()) <= KINDS
        for name, text in page.helps.items():
            assert text.endswith("."), f"the help of {name} is a sentence"


def test_names_follow_the_conventions(pages: tuple[Page, Page]) -> None:
    for name, kind in pages[1].kinds.items():
        assert name.startswith(("everlog_", "process_")), name
        assert name.endswith("_total") == (kind == "counter"), name
        assert not name.removesuffix("_total").endswith(UNITS_THAT_ARE_NO_BASE_UNITS), name


def test_no_label_grows_with_what_clients_do(pages: tuple[Page, Page]) -> None:
    before, after = pages
    for name, samples in after.samples.items():
        assert len(samples) <= SAMPLES_PER_METRIC_MAX, name
        allowed = {"topic"} if name in OF_TOPICS else {"api", "code", "lane", "state"}
        for labels in samples:
            assert {key for key, _ in LABEL.findall(labels)} <= allowed
    assert set(before.samples["everlog_requests_total"]) == set(
        after.samples["everlog_requests_total"]
    )


def test_counters_say_what_has_happened(pages: tuple[Page, Page]) -> None:
    before, after = pages

    def rise(name: str, labels: str = "") -> float:
        return after.value(name, labels) - before.value(name, labels)

    assert rise("everlog_requests_total", 'api="produce"') >= 1
    assert rise("everlog_requests_total", 'api="fetch"') >= 1
    assert rise("everlog_received_bytes_total") > 100_000
    assert rise("everlog_sent_bytes_total") > 100_000
    assert rise("everlog_connections_accepted_total") >= 2
    rounds = sum(after.samples["everlog_commit_rounds_total"].values())
    assert rounds > sum(before.samples["everlog_commit_rounds_total"].values())


def test_gauges_say_how_things_are(pages: tuple[Page, Page]) -> None:
    _, after = pages
    assert after.value("everlog_ready") == 1
    assert after.value("everlog_connections") >= 2
    assert after.value("everlog_log_records") >= 100
    assert after.value("everlog_local_bytes") > 100_000
    assert after.value("everlog_partitions_offline") == 0
    assert after.value("everlog_metadata_has_controller") == 1
    assert sum(after.samples["everlog_groups"].values()) == 1
    assert after.value("everlog_loop_lag_seconds") >= 0
