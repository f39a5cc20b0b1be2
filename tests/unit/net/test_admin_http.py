"""The broker's own HTTP."""

import asyncio

import pytest

from service.net.admin_http import (
    REQUEST_BYTES_MAX,
    REQUEST_SECONDS_MAX,
    AdminHttp,
    Answer,
)
from tests.simulation.loop import run_simulated
from tests.unit.net.fakes import FakeNetwork, FakeTransport


async def asked(*pieces: bytes) -> bytes:
    network = FakeNetwork()
    http = AdminHttp(network=network, pages={"/livez": lambda: Answer(200, b"well\n")})
    assert await http.bind("127.0.0.1", 0) == 4321
    protocol, transport = network.connect()
    for piece in pieces:
        protocol.data_received(piece)
    protocol.connection_lost(None)
    http.close()
    assert network.listener.is_closed
    assert transport.is_closed
    return transport.written


async def test_a_page_is_served_whatever_pieces_the_request_comes_in() -> None:
    answer = await asked(b"GET /li", b"vez?x=1 HTTP/1.1\r\nHost: x\r\n", b"\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Length: 5\r\n" in head
    assert body == b"well\n"


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET /nothing HTTP/1.1", b"404"),
        (b"POST /livez HTTP/1.1", b"405"),
        (b"nonsense", b"400"),
        (b"\xff\xfe \0", b"400"),
    ],
)
async def test_what_is_not_offered_is_refused(request_line: bytes, status: bytes) -> None:
    assert (await asked(request_line + b"\r\n\r\n")).split(b" ")[1] == status


async def test_an_endless_head_is_refused() -> None:
    assert (await asked(b"x" * (REQUEST_BYTES_MAX + 1))).split(b" ")[1] == b"400"


def test_who_sends_nothing_is_dropped() -> None:
    async def life(_: object) -> FakeTransport:
        network = FakeNetwork()
        await AdminHttp(network=network, pages={}).bind("127.0.0.1", 0)
        _, transport = network.connect()
        await asyncio.sleep(REQUEST_SECONDS_MAX + 0.1)
        return transport

    assert run_simulated(0, life).is_aborted
