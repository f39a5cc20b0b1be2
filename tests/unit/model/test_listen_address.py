import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.model.listen_address import PORT_MAX, ListenAddress, read_listen_address


@pytest.mark.parametrize(
    ("text", "listener", "host", "port"),
    [
        ("PLAINTEXT://127.0.0.1:9092", "PLAINTEXT", "127.0.0.1", 9092),
        ("INTERNAL://:19092", "INTERNAL", "", 19092),
        (" plaintext://broker-1.example.com:0 ", "PLAINTEXT", "broker-1.example.com", 0),
        ("CLIENT_2://[::1]:9092", "CLIENT_2", "::1", 9092),
        ("A://[fe80::1%eth0]:65535", "A", "fe80::1%eth0", 65535),
    ],
)
def test_addresses_are_read_in_the_syntax_of_kafka(
    text: str, listener: str, host: str, port: int
) -> None:
    assert read_listen_address(text) == ListenAddress(listener=listener, host=host, port=port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "9092",
        "localhost:9092",
        "://localhost:9092",
        "PLAINTEXT://localhost",
        "PLAINTEXT://localhost:",
        "PLAINTEXT://localhost:65536",
        "PLAINTEXT://localhost:-1",
        "PLAINTEXT://localhost:٣",
        "PLAINTEXT://::1:9092",
        "PLAINTEXT://[localhost]:9092",
        "PLAINTEXT://a b:9092",
        "PLAINTEXT://a:1,PLAINTEXT://b:2",
        "1ST://localhost:9092",
    ],
)
def test_anything_else_is_no_address(text: str) -> None:
    assert read_listen_address(text) is None


@pytest.mark.parametrize(
    ("host", "wildcard"),
    [("", True), ("0.0.0.0", True), ("::", True), ("127.0.0.1", False), ("::1", False)],  # noqa: S104
)
def test_an_address_of_the_whole_machine_is_known_as_one(
    host: str,
    wildcard: bool,  # noqa: FBT001
) -> None:
    assert ListenAddress(listener="A", host=host, port=1).is_wildcard is wildcard


HOSTS = st.one_of(
    st.from_regex(r"[a-z0-9][a-z0-9.-]{0,20}", fullmatch=True),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
    st.just(""),
)


@given(st.from_regex(r"[A-Z][A-Z0-9_]{0,9}", fullmatch=True), HOSTS, st.integers(0, PORT_MAX))
def test_an_address_survives_being_written_and_read(listener: str, host: str, port: int) -> None:
    address = ListenAddress(listener=listener, host=host, port=port)
    assert read_listen_address(address.text) == address


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    found = read_listen_address(text)
    assert found is None or read_listen_address(found.text) == found
