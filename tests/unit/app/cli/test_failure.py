import pytest

from service.app.cli.failure import fail, misuse


def test_a_failure_is_one_line_and_status_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        fail("port 9092 is taken", "use --port")
    assert ended.value.code == 1
    assert capsys.readouterr() == ("", "everlog: port 9092 is taken; use --port\n")


def test_a_mistake_in_the_call_is_status_two(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        misuse("one\ntwo", "")
    assert ended.value.code == 2
    assert capsys.readouterr().err == "everlog: one\neverlog: two\n"
