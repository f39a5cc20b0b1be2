import pytest

from service.app.cli.output import Column, Table, fitted_table, plain_table, show, show_json

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


WIDE = Table(
    [
        Column("TOPIC"),
        Column("REPLICAS", is_number=True, rank=1),
        Column("RECORDS", is_number=True),
        Column("OLDEST", rank=2),
    ],
    [["a-topic-of-thirty-characters-xx", "3", "48,210,114", "2021-03-02 11:04:09"]],
)


@pytest.mark.parametrize(
    ("width", "titles", "note"),
    [
        (80, ["TOPIC", "REPLICAS", "RECORDS", "OLDEST"], ""),
        (72, ["TOPIC", "RECORDS", "OLDEST"], "(no room for REPLICAS)"),
        (50, ["TOPIC", "RECORDS"], "(no room for REPLICAS, OLDEST)"),
        (10, ["TOPIC", "RECORDS"], "(no room for REPLICAS, OLDEST)"),
    ],
)
def test_a_narrow_terminal_gets_fewer_columns_and_whole_cells(
    width: int, titles: list[str], note: str
) -> None:
    first, row, *rest = fitted_table(WIDE, width).splitlines()
    assert first.split() == titles
    assert row.startswith("a-topic-of-thirty-characters-xx  ")
    assert rest == ([note] if note else [])


def test_sentences_stand_below_their_row_where_there_is_no_room() -> None:
    table = Table(
        [Column("NAME"), Column("MEANING", is_prose=True)],
        [["a.name", "Words that go on for longer than a line of this terminal can be."]],
    )
    assert fitted_table(table, 44).splitlines() == [
        "NAME",
        "a.name",
        "    Words that go on for longer than a line",
        "    of this terminal can be.",
    ]
