"""How commands reach the cluster: the option ``--bootstrap``, and what goes wrong on the way."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer

from service.app.cli.client_library import (
    ALL_BROKERS_DOWN,
    TIMED_OUT,
    TRANSPORT,
    Admin,
    kafka,
    kafka_admin,
)
from service.app.cli.failure import fail, misuse
from service.model.listen_address import PORT_MAX

BOOTSTRAP_DEFAULT = "127.0.0.1:9092"
BOOTSTRAP_VARIABLE = "EVERLOG_BOOTSTRAP"
PORT_DEFAULT = 9092
CONNECT_SECONDS_MAX = 3.0
REQUEST_SECONDS_MAX = 15.0

BootstrapOption = Annotated[
    str,
    typer.Option(
        "--bootstrap", "-b", envvar=BOOTSTRAP_VARIABLE, metavar="HOST:PORT", help="A broker."
    ),
]


def wall_ms() -> int:
    """Return milliseconds since the Unix epoch."""
    from service.app.system import SystemClock

    return SystemClock().wall_ms()


def client_settings(bootstrap: str) -> dict[str, Any]:
    """Return what every client of a command is configured with; end if no broker answers."""
    check_reachable(bootstrap)
    return {
        "bootstrap.servers": bootstrap,
        "client.id": "everlog-cli",
        "log_level": 0,
        "reconnect.backoff.max.ms": 1000,
        "allow.auto.create.topics": False,
    }


def connect_admin(bootstrap: str) -> Admin:
    """Return a client for administration; end if no broker answers."""
    settings = client_settings(bootstrap)
    del settings["allow.auto.create.topics"]
    return kafka_admin().AdminClient(settings)


def check_reachable(bootstrap: str) -> None:
    """End unless one of the named brokers takes a connection.

    The client library tries for as long as it is let, and would not say why.
    """
    for host, port in addresses(bootstrap):
        try:
            socket.create_connection((host, port), timeout=CONNECT_SECONDS_MAX).close()
        except OSError:
            continue
        return
    unreachable(bootstrap)


def addresses(bootstrap: str) -> list[tuple[str, int]]:
    """Read ``host:port,host:port``; end if it is none."""
    return [_address(each.strip()) for each in bootstrap.split(",")]


@contextmanager
def kafka_errors(bootstrap: str) -> Iterator[None]:
    """Turn errors of the client library into one line and an end."""
    try:
        yield
    except kafka().KafkaException as error:
        cause = error.args[0]
        gone = (TRANSPORT, ALL_BROKERS_DOWN)
        if cause.code() in gone:
            unreachable(bootstrap)
        if cause.code() == TIMED_OUT:
            fail(f"{bootstrap} did not answer in time", "look at the broker's log")
        fail(cause.str(), "")


def unreachable(bootstrap: str) -> NoReturn:
    """End: no broker answers."""
    fail(
        f"cannot reach {bootstrap}",
        'is it running? start one with "everlog dev", or use --bootstrap',
    )


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(PORT_DEFAULT)
    if not host or not port.isdecimal() or not 0 < int(port) <= PORT_MAX:
        misuse(f"--bootstrap {text!r} is no address", "write host:port, such as 127.0.0.1:9092")
    return host.strip("[]"), int(port)
