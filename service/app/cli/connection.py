"""How commands reach the cluster: the option ``--bootstrap``, and what goes wrong on the way."""

import os
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
TIMEOUT_VARIABLE = "EVERLOG_TIMEOUT_SECONDS"
_TIMEOUT_SECONDS_MAX = 3600.0


def patience(seconds: float) -> float:
    """Return how long to wait for an answer: what the environment says, or else ``seconds``."""
    text = os.environ.get(TIMEOUT_VARIABLE)
    if text is None:
        return seconds
    try:
        given = float(text)
    except ValueError:
        given = 0.0
    if not 0 < given <= _TIMEOUT_SECONDS_MAX:
        misuse(f"{TIMEOUT_VARIABLE}={text!r} is no time", "write seconds, at most 3600")
    return given


CONNECT_SECONDS_MAX = 3.0
ANSWER_SECONDS_MAX = patience(10.0)
"""How long a broker may be silent when it is asked whether it is one."""

REQUEST_SECONDS_MAX = patience(15.0)
CHANGE_SECONDS_MAX = patience(60.0)
"""What makes or removes many files takes longer than what only tells."""

_NOT_IN_A_HOST = frozenset("/@ ")

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
    settings["socket.timeout.ms"] = int(REQUEST_SECONDS_MAX * 1000)
    return kafka_admin().AdminClient(settings)


def check_reachable(bootstrap: str, *, seconds_max: float = ANSWER_SECONDS_MAX) -> None:
    """End unless one of the named brokers takes a connection and answers.

    The client library tries for as long as it is let, and would not say why.

    Args:
        bootstrap: What ``--bootstrap`` says.
        seconds_max: How long all of them together may be silent.
    """
    from service.app.cli.wire import NotConnectedError
    from service.protocol.errors import ProtocolError

    named = addresses(bootstrap)
    silent = 0
    for address in named:
        try:
            _greet(address, seconds_max=seconds_max / len(named))
        except NotConnectedError:
            continue
        except (OSError, ProtocolError):
            silent += 1
        else:
            return
    if silent:
        fail(
            f"{bootstrap} takes connections and does not answer as a Kafka broker does",
            "is that its port, and is it well? its log says more; or use --bootstrap",
        )
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


def _greet(address: tuple[str, int], *, seconds_max: float) -> None:
    """Ask a broker what it speaks, which all of them answer at once."""
    from service.app.cli.wire import ask
    from service.protocol.messages.api_versions import ApiVersionsRequest

    ask(
        address,
        ApiVersionsRequest(),
        version=0,
        seconds_max=seconds_max,
        connect_seconds_max=CONNECT_SECONDS_MAX,
    )


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(PORT_DEFAULT)
    is_host = host and not _NOT_IN_A_HOST & set(host)
    if not is_host or not port.isdecimal() or not 0 < int(port) <= PORT_MAX:
        misuse(f"--bootstrap {text!r} is not an address", "write HOST:PORT, such as 127.0.0.1:9092")
    return host.strip("[]"), int(port)
