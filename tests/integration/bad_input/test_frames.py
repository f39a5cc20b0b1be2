"""Frames and headers that are no requests: rows 1-17 of the catalogue of bad input."""

import struct
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from service.protocol.api import VERSIONS, ApiKey
from service.protocol.codec import decode_response
from service.protocol.messages.api_versions import ApiVersionsRequest
from service.protocol.messages.metadata import MetadataRequest, MetadataRequestTopic
from tests.integration.bad_input.broker_process import BrokerProcess
from tests.integration.bad_input.wire import Wire, encoded, frame_of, serves_others

METADATA = 3
FLEXIBLE = 9
HEADER = struct.Struct(">hhih")


def header(key: int, version: int, client_id: bytes = b"x", *, length: int | None = None) -> bytes:
    size = len(client_id) if length is None else length
    return HEADER.pack(key, version, 5, size) + client_id


def rule(row: int) -> pytest.MarkDecorator:
    return pytest.mark.rule(f"REL-5.{row}")


def closing(row: int, name: str, data: bytes) -> object:
    return pytest.param(data, id=f"{row}-{name}", marks=rule(row))


def framed(frame: bytes) -> bytes:
    return struct.pack(">i", len(frame)) + frame


_V9 = header(METADATA, FLEXIBLE)
_V8 = header(METADATA, 8)

CLOSING = [
    closing(1, "minus-one", b"\xff\xff\xff\xff" + b"x" * 20),
    closing(1, "most-negative", b"\x80\0\0\0" + b"x" * 20),
    closing(2, "zero", b"\0\0\0\0"),
    closing(3, "http", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    closing(3, "tls", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + b"x" * 30),
    closing(3, "most", b"\x7f\xff\xff\xff"),
    closing(3, "one-more-than-allowed", struct.pack(">i", 100 * 1024 * 1024 + 1)),
    closing(6, "key-and-version-only", framed(struct.pack(">hh", METADATA, 1))),
    closing(6, "one-byte", framed(b"\0")),
    closing(6, "no-client-id", framed(struct.pack(">hhi", METADATA, 1, 5))),
    *[
        closing(7, f"api-{key}", framed(header(key, 0) + b"\0" * 8))
        for key in (-1, 93, 999, 32767, -32768)
    ],
    *[
        closing(8, f"{key.name.lower()}-{version}", framed(header(key, version) + b"\0" * 8))
        for key, versions in VERSIONS.items()
        if key is not ApiKey.API_VERSIONS
        for version in (-1, versions.first - 1, versions.last + 1, 32767)
    ],
    closing(10, "client-id-too-long", framed(header(METADATA, 1, b"x" * 9, length=32767))),
    closing(10, "client-id-negative", framed(header(METADATA, 1, length=-2))),
    closing(10, "client-id-no-text", framed(header(METADATA, 1, b"\xff\xfe\xfd") + b"\0" * 4)),
    closing(11, "tag-count", framed(_V9 + b"\x80\x80\x80\x80\x08" + b"\0" * 8)),
    closing(11, "tag-size", framed(_V9 + b"\x01\x00\x7f" + b"\0" * 8)),
    closing(11, "duplicate-tags", framed(_V9 + b"\x02\x05\x01a\x05\x01a" + b"\0" * 8)),
    closing(11, "tags-cut-off", framed(_V9)),
    closing(13, "most-elements", framed(_V8 + b"\x7f\xff\xff\xff" + b"\0" * 8)),
    closing(13, "more-than-is-there", framed(_V8 + b"\0\0\0\x20" + b"\0" * 8)),
    closing(13, "negative-count", framed(_V8 + b"\xff\xff\xff\xfe" + b"\0" * 8)),
    closing(13, "compact-most", framed(_V9 + b"\0" + b"\xff\xff\xff\xff\x0f" + b"\0" * 8)),
    # Produce v9 may not leave its topics out.
    closing(
        13, "compact-null", framed(header(0, 9) + b"\0" + b"\0" + b"\xff\xff\0\0\0\0" + b"\0" * 4)
    ),
    closing(14, "six-bytes", framed(_V9 + b"\0" + b"\x80\x80\x80\x80\x80\x01" + b"\0" * 8)),
    closing(14, "endless", framed(_V9 + b"\0" + b"\xff" * 40)),
    closing(14, "string-minus-two", framed(_V8 + b"\0\0\0\x01\xff\xfe" + b"\0" * 8)),
    closing(17, "inter-broker", framed(header(4, 0) + b"\0" * 40)),
    closing(17, "vote", framed(header(52, 0) + b"\0" * 40)),
]


@pytest.mark.parametrize("data", CLOSING)
def test_what_is_no_request_closes_the_connection(wire: Wire, data: bytes) -> None:
    wire.send(data)
    assert wire.is_closed()


@rule(3)
def test_a_refused_size_allocates_nothing(broker: BrokerProcess) -> None:
    before = broker.rss_bytes()
    for _ in range(50):
        with Wire(broker.address) as wire:
            wire.send(struct.pack(">i", 100 * 1024 * 1024 + 1))
            assert wire.is_closed()
    assert broker.rss_bytes() - before < 16 * 1024 * 1024


@rule(4)
def test_a_size_that_is_only_claimed_costs_nothing(broker: BrokerProcess) -> None:
    before = broker.rss_bytes()
    with ExitStack() as connections:
        for _ in range(20):
            wire = connections.enter_context(Wire(broker.address))
            wire.send(struct.pack(">i", 100 * 1024 * 1024) + b"\0\x03\0\x01")
        with Wire(broker.address) as other:
            assert other.ask(MetadataRequest(topics=[]), 1).brokers
        assert broker.rss_bytes() - before < 16 * 1024 * 1024


@rule(4)
@pytest.mark.parametrize("is_dripping", [False, True], ids=["4-silence", "4-drip"])
def test_a_request_that_never_ends_is_given_up(tmp_path: Path, *, is_dripping: bool) -> None:
    broker = BrokerProcess(tmp_path, **{"socket.request.timeout.ms": "1000"})
    broker.start()
    try:
        with Wire(broker.address) as wire, Wire(broker.address) as good:
            wire.send(struct.pack(">i", 5000) + b"\0\x03")
            closed = False
            for _ in range(100):
                assert good.ask(MetadataRequest(topics=[]), 1).brokers
                if is_dripping:
                    try:
                        wire.send(b"\0")
                    except Exception:  # noqa: BLE001  (however the system says that it is closed)
                        closed = True
                        break
                elif wire.settle(0.1) is None and "too long" in broker.log_text():
                    closed = True
                    break
                time.sleep(0.1)
            assert closed
            serves_others(broker.address, good.create_topic())
    finally:
        broker.stop()


@rule(5)
def test_a_size_may_come_in_four_pieces(wire: Wire) -> None:
    whole = encoded(MetadataRequest(topics=[]), 1)
    for byte in whole[:4]:
        wire.send(bytes([byte]))
        time.sleep(0.01)
    wire.send(whole[4:])
    _, response = decode_response(wire.receive_frame(), METADATA, 1)
    assert response.brokers  # type: ignore[attr-defined]


@rule(5)
def test_a_thousand_requests_in_one_packet_are_answered_in_order(wire: Wire) -> None:
    wire.send(
        b"".join(
            encoded(MetadataRequest(topics=[]), 1, correlation_id=number) for number in range(1000)
        )
    )
    found = [struct.unpack(">i", wire.receive_frame()[:4])[0] for _ in range(1000)]
    assert found == list(range(1000))


@rule(9)
@pytest.mark.parametrize("version", [5, 99, 32767, -1], ids=lambda version: f"9-v{version}")
def test_a_newer_api_versions_request_is_told_the_range(wire: Wire, version: int) -> None:
    wire.send_frame(header(18, version) + b"\0" * 10)
    correlation_id, response = decode_response(wire.receive_frame(), 18, 0)
    assert correlation_id == 5
    assert response.error_code == 35  # type: ignore[attr-defined]
    (entry,) = response.api_keys  # type: ignore[attr-defined]
    assert (entry.api_key, entry.min_version, entry.max_version) == (18, 0, 4)


@rule(9)
def test_software_names_are_checked(wire: Wire) -> None:
    request = ApiVersionsRequest(client_software_name="no good", client_software_version="1")
    assert wire.ask(request, 3).error_code == 42


@rule(10)
@pytest.mark.parametrize(
    "client",
    [None, b"", b"x" * 32767, "\0\n\x1b[31m€".encode()],
    ids=["null", "none", "long", "odd"],
)
def test_odd_client_ids_are_served(wire: Wire, client: bytes | None) -> None:
    head = header(METADATA, 1, b"", length=-1) if client is None else header(METADATA, 1, client)
    wire.send_frame(head + b"\0\0\0\0")
    _, response = decode_response(wire.receive_frame(), METADATA, 1)
    assert response.brokers  # type: ignore[attr-defined]


@rule(12)
def test_unknown_tags_are_passed_over(wire: Wire) -> None:
    wire.send_frame(_V9 + b"\x01\x63\x03abc" + b"\x01\0\0\0" + b"\x01\x64\x02xy")
    _, response = decode_response(wire.receive_frame(), METADATA, FLEXIBLE)
    assert response.brokers  # type: ignore[attr-defined]


@rule(15)
def test_what_follows_a_request_in_its_frame_is_passed_over(wire: Wire) -> None:
    wire.send_frame(bytes(frame_of(MetadataRequest(topics=[]), 1)) + b"garbage")
    decode_response(wire.receive_frame(), METADATA, 1)
    assert wire.ask(MetadataRequest(topics=[]), 1).brokers


def longest_wait(wire: Wire, other: Wire, data: bytes) -> float:
    """Send something heavy; return how long another client's small requests take meanwhile."""
    wire.send(data)
    worst = 0.0
    for _ in range(60):
        began = time.perf_counter()
        assert other.ask(
            ApiVersionsRequest(client_software_name="x", client_software_version="1"), 3
        )
        worst = max(worst, time.perf_counter() - began)
        time.sleep(0.005)
    return worst


@rule(16)
def test_a_million_empty_topics_stall_nobody(
    broker: BrokerProcess, wire: Wire, record_property: object
) -> None:
    frame = _V8 + struct.pack(">i", 1_000_000) + b"\0\0" * 1_000_000 + b"\0" * 3
    with Wire(broker.address) as other:
        waited = longest_wait(wire, other, framed(frame))
    record_property("waited_ms", waited * 1000)  # type: ignore[operator]
    assert wire.is_closed()
    assert waited < 2


@rule(16)
@pytest.mark.parametrize(
    ("create", "count"), [(False, 49_000), (True, 2_000)], ids=["16-lookup", "16-creation"]
)
def test_as_many_topics_as_are_allowed_stall_nobody(
    broker: BrokerProcess, wire: Wire, record_property: object, *, create: bool, count: int
) -> None:
    topics = [MetadataRequestTopic(name="/") for _ in range(count)]
    request = MetadataRequest(topics=topics, allow_auto_topic_creation=create)
    with Wire(broker.address) as other:
        waited = longest_wait(wire, other, encoded(request, 8))
    record_property("waited_ms", waited * 1000)  # type: ignore[operator]
    _, response = decode_response(wire.receive_frame(), METADATA, 8)
    assert {topic.error_code for topic in response.topics} == {17 if create else 3}  # type: ignore[attr-defined]
    print(f"waited {waited * 1000:.0f} ms")
    assert waited < 2
