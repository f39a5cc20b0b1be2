"""The proxies between everybody: what they do to bytes, and that they do it to these only."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import pytest

from tests.cluster.chaos_network import ChaosNetwork
from tests.cluster.weather import CUT, DRIP, SLOW, Weather, between, one_way, to_and_from
from tests.waiting import WAIT_SECONDS_MAX

MESSAGE = b"x" * 200_000


class Echo:
    """A server that sends back what it gets."""

    def __init__(self) -> None:
        self.received = 0
        self.writers: list[asyncio.StreamWriter] = []
        self.server: asyncio.Server

    @property
    def port(self) -> int:
        return int(self.server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                self.received += len(data)
                writer.write(data)
        writer.transport.abort()

    def hang_up(self) -> None:
        for writer in self.writers:
            writer.transport.abort()


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    echo = Echo()
    await echo.start()
    yield echo
    echo.server.close()
    echo.hang_up()


@pytest.fixture
def network() -> Iterator[ChaosNetwork]:
    with ChaosNetwork(seed=1) as network:
        yield network


class Client:
    """A connection by way of a proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def connect(cls, port: int) -> "Client":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    def send(self, message: bytes) -> None:
        self._writer.write(message)

    async def answer(self, size: int) -> bytes:
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            return await self._reader.readexactly(size)

    async def is_silent(self, seconds: float = 0.2) -> bool:
        """Whether nothing arrives for so long, not even an end."""
        try:
            async with asyncio.timeout(seconds):
                await self._reader.read(1)
        except TimeoutError:
            return True
        return False

    def close(self) -> None:
        self._writer.transport.abort()


async def test_bytes_pass_as_they_are(network: ChaosNetwork, echo: Echo) -> None:
    client = await Client.connect(network.listen("server", echo.port, "clients"))
    client.send(MESSAGE)
    assert await client.answer(len(MESSAGE)) == MESSAGE
    client.close()


async def test_what_is_cut_arrives_when_the_line_is_whole_again(
    network: ChaosNetwork, echo: Echo
) -> None:
    client = await Client.connect(network.listen("server", echo.port, "clients"))
    with network.disturbed(between({"clients"}, {"server"}), CUT):
        client.send(b"late")
        assert await client.is_silent()
        assert echo.received == 0
    assert await client.answer(4) == b"late"
    client.close()


async def test_a_line_that_is_cut_one_way_carries_the_other(
    network: ChaosNetwork, echo: Echo
) -> None:
    client = await Client.connect(network.listen("server", echo.port, "clients"))
    with network.disturbed(one_way({"server"}, {"clients"}), CUT):
        client.send(b"heard")
        assert await client.is_silent()
        assert echo.received == 5
    assert await client.answer(5) == b"heard"
    client.close()


async def test_an_end_is_not_told_through_a_cut(network: ChaosNetwork, echo: Echo) -> None:
    client = await Client.connect(network.listen("server", echo.port, "clients"))
    client.send(b"x")
    await client.answer(1)
    with network.disturbed(to_and_from({"server"}), CUT):
        echo.hang_up()
        assert await client.is_silent()
    assert not await client.is_silent(WAIT_SECONDS_MAX)
    client.close()


async def test_others_do_not_notice(network: ChaosNetwork, echo: Echo) -> None:
    name = lambda first: first.decode().partition(" ")[0]  # noqa: E731
    port = network.listen("server", echo.port, name)
    one, other = await Client.connect(port), await Client.connect(port)
    with network.disturbed(between({"one"}, {"server"}), CUT):
        one.send(b"one says")
        other.send(b"other says")
        assert await other.answer(10) == b"other says"
        assert await one.is_silent()
    assert await one.answer(8) == b"one says"
    one.close()
    other.close()


async def test_a_line_breaks_in_the_middle_of_what_it_carries(
    network: ChaosNetwork, echo: Echo
) -> None:
    client = await Client.connect(network.listen("server", echo.port, "clients"))
    client.send(b"x")
    await client.answer(1)
    assert network.break_lines(between({"clients"}, {"server"})) == 1
    client.send(MESSAGE[:10])
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await client.answer(10)
    assert echo.received < 11
    client.close()


@pytest.mark.parametrize("weather", [SLOW, DRIP])
async def test_slow_lines_carry_everything(
    network: ChaosNetwork, echo: Echo, weather: Weather
) -> None:
    client = await Client.connect(network.listen("server", echo.port, "clients"))
    with network.disturbed(between({"clients"}, {"server"}), weather):
        client.send(MESSAGE[:20_000])
        assert await client.is_silent(0.02)
        assert await client.answer(20_000) == MESSAGE[:20_000]
    client.close()
