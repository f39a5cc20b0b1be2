"""The server for tests of others: the context manager, and the fixture."""

import http.client
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from everlog.testing import RunningServer, ServerStartError, running_server
from everlog.testing.plugin import everlog_server

server = everlog_server
"""The fixture, under another name: the plugin itself may be installed or not."""


def _topics(bootstrap: str) -> set[str]:
    return set(AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=10).topics)


def _produce(bootstrap: str, topic: str) -> None:
    producer = Producer({"bootstrap.servers": bootstrap})
    producer.produce(topic, b"value")
    assert producer.flush(20) == 0


def test_the_fixture_serves_kafka_and_http(server: RunningServer) -> None:
    _produce(server.bootstrap, "flights")
    assert "flights" in _topics(server.bootstrap)
    host, _, port = server.http_url.removeprefix("http://").rpartition(":")
    gateway = http.client.HTTPConnection(host, int(port), timeout=20)
    gateway.request("GET", "/livez")
    assert gateway.getresponse().status == 200
    gateway.close()
    assert server.data_dir.is_dir()


def test_a_server_is_the_same_after_a_restart_and_after_a_crash(tmp_path: Path) -> None:
    with running_server(tmp_path / "data", num_partitions=2) as own:
        _produce(own.bootstrap, "kept")
        before = own.bootstrap, own.http_url
        own.restart()
        assert (own.bootstrap, own.http_url) == before
        assert "kept" in _topics(own.bootstrap)
        own.kill()
        assert not own.is_running
        own.start()
        assert "kept" in _topics(own.bootstrap)
        own.stop()
        own.stop()
        with pytest.raises(ServerStartError, match="stopped"):
            _ = own.pid
    assert (tmp_path / "data").is_dir()


def test_settings_are_given_to_the_server() -> None:
    with running_server(num_partitions=3, auto_create_topics_enable=True) as own:
        _produce(own.bootstrap, "three")
        metadata = AdminClient({"bootstrap.servers": own.bootstrap}).list_topics(timeout=10)
        assert len(metadata.topics["three"].partitions) == 3
