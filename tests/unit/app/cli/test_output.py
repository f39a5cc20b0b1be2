import pytest

from service.app.cli.output import Column, Table, plain_table, show, show_json

TABLE = Table(
    [Column("TOPIC"), Column("RECORDS", is_number=True), Column("RETENTION")],
    [["clicks", "48,210,114", "for ever"], ["orders-of-2021", "7", ""]],
)

PLAIN = """\
TOPIC              RECORDS  RETENTION
clicks          48,210,114  for ever
orders-of-2021           7
"""


def test_texts_begin_and_numbers_end_at_the_same_place() -> None:
    assert plain_table(TABLE) + "\n" == PLAIN


def test_a_table_is_plain_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show(TABLE)
    assert capsys.readouterr().out == PLAIN


def test_a_table_without_rows_still_has_its_titles() -> None:
    assert plain_table(Table(TABLE.columns, [])) == "TOPIC  RECORDS  RETENTION"


def test_json_keeps_what_is_not_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    show_json({"topic": "caf\u00e9"})
    assert capsys.readouterr().out == '{\n  "topic": "caf\u00e9"\n}\n'
