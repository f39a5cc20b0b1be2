import socket
import threading
from collections.abc import Iterator

import pytest

from service.app.cli.connection import TIMEOUT_VARIABLE, addresses, check_reachable, patience


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:9092", [("127.0.0.1", 9092)]),
        ("broker", [("broker", 9092)]),
        ("a:1, b:2", [("a", 1), ("b", 2)]),
        ("[::1]:9093", [("::1", 9093)]),
        ("[::1]", [("::1", 9092)]),
    ],
)
def test_addresses_are_hosts_with_ports(text: str, expected: list[tuple[str, int]]) -> None:
    assert addresses(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", ":9092", "a:b", "a:0", "a:65536", "a:1,", "http://127.0.0.1:9092", "a/b", "me@a:1"],
)
def test_what_is_no_address_ends_with_usage(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        addresses(text)
    assert ended.value.code == 2
    assert "is not an address; write HOST:PORT" in capsys.readouterr().err


@pytest.fixture
def mute() -> Iterator[str]:
    """Where connections are taken, by the kernel, and nobody ever answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def test_what_takes_connections_and_is_silent_is_no_broker(
    mute: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        check_reachable(mute, seconds_max=0.05)
    assert ended.value.code == 1
    assert f"{mute} takes connections and does not answer" in capsys.readouterr().err


def test_what_answers_in_other_words_is_no_broker(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        answering = threading.Thread(target=answer)
        answering.start()
        with pytest.raises(SystemExit):
            check_reachable(f"127.0.0.1:{listener.getsockname()[1]}")
        answering.join()
    assert "does not answer as a Kafka broker does" in capsys.readouterr().err


def test_the_environment_says_how_long_to_wait(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(TIMEOUT_VARIABLE, raising=False)
    assert patience(15.0) == 15.0
    monkeypatch.setenv(TIMEOUT_VARIABLE, "2.5")
    assert patience(15.0) == 2.5
    for wrong in ("", "soon", "0", "-1", "nan", "inf"):
        monkeypatch.setenv(TIMEOUT_VARIABLE, wrong)
        with pytest.raises(SystemExit) as ended:
            patience(15.0)
        assert ended.value.code == 2
        assert f"{TIMEOUT_VARIABLE}='{wrong}' is no time" in capsys.readouterr().err
