import pytest

from service.app.cli.connection import addresses


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


@pytest.mark.parametrize("text", ["", ":9092", "a:b", "a:0", "a:65536", "a:1,"])
def test_what_is_no_address_ends_with_usage(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        addresses(text)
    assert ended.value.code == 2
    assert "write host:port" in capsys.readouterr().err
