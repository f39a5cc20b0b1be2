"""A port that a server comes back to is nobody else's meanwhile."""

import socket
from pathlib import Path
from random import Random

import pytest

from everlog.testing import ports
from everlog.testing.ports import PORTS, SLICES, NoFreePortError, PortSlice, free_port

OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")


def slice_of(number: int | None) -> PortSlice:
    return PortSlice(number, chooser=Random(7))


def test_a_port_can_be_listened_at() -> None:
    with socket.create_server(("127.0.0.1", free_port())):
        pass


def test_no_port_is_given_twice_before_all_have_been() -> None:
    asked = slice_of(3)
    found = [asked.free_port() for _ in range(50)]
    assert len(set(found)) == 50
    assert set(found) <= set(asked.ports)


def test_a_port_that_somebody_has_is_passed_over() -> None:
    port = slice_of(5).free_port()
    with socket.create_server(("127.0.0.1", port)):
        assert slice_of(5).free_port() != port
    assert slice_of(5).free_port() == port


def test_when_all_are_taken_it_says_which_were_tried() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        asked = slice_of(0)
        port = taken.getsockname()[1]
        asked.ports = range(port, port + 1)
        asked._next = 0
        with pytest.raises(NoFreePortError, match=f"from {port} to {port}"):
            asked.free_port()


def test_processes_side_by_side_never_ask_for_the_same_ports() -> None:
    slices = [set(slice_of(number).ports) for number in range(SLICES)]
    assert sum(map(len, slices)) == len(set().union(*slices)) == len(PORTS)


def test_a_process_that_nobody_has_numbered_begins_anywhere() -> None:
    assert {PortSlice(None, chooser=Random(n)).ports[0] for n in range(100)} == set(
        PORTS[:: len(PORTS) // SLICES]
    )


@pytest.mark.parametrize(("name", "number"), [("gw0", 0), ("gw13", 13), ("", None), ("main", None)])
def test_the_name_of_a_worker_tells_its_number(name: str, number: int | None) -> None:
    assert ports.worker_number(name) == number


def test_the_system_gives_no_such_port_to_a_connection() -> None:
    if not OUTGOING.exists():
        pytest.skip("only Linux says which ports it gives to connections")
    first, last = map(int, OUTGOING.read_text().split())
    assert last < PORTS[0] or first > PORTS[-1]
