"""The gateway's log is the broker's: events in one form, repetitions held back."""

import json
import socket

from everlog.testing import running_server
from tests.conformance.waiting import wait_until_true

KAFKA_REQUEST = b"\x00\x00\x00\x0e\x00\x12\x00\x04\x00\x00\x00\x01\x00\x04kcat"


def test_kafka_clients_at_the_gateways_port_are_one_event() -> None:
    with running_server() as server:
        host, _, port = server.http_url.removeprefix("http://").rpartition(":")
        for _ in range(100):
            with socket.create_connection((host, int(port)), timeout=20) as client:
                client.sendall(KAFKA_REQUEST)
                # The answer says that the complaint, if any, has been made.
                assert client.recv(100)
        wait_until_true(lambda: "library_message" in server.log_path.read_text())
        server.stop()
        events = [json.loads(line) for line in server.log_path.read_text().splitlines()]
    complaint, *more = [each for each in events if each["event"] == "library_message"]
    assert len(more) < 10, "repetitions are held back"
    assert complaint["library"] == "uvicorn.error"
    assert complaint["message"] == "Invalid HTTP request received."
