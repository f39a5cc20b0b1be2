"""What an option does not take is said with the option, the value, and what it does take."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = str(Path(sys.executable).with_name("everlog"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("dev --port 99999", "--port=99999: write a whole number from 0 to 65535"),
        ("dev --http-port x", "--http-port=x: write a whole number from 0 to 65535"),
        ("dev --brokers many", "--brokers=many: write a whole number from 1 to 9"),
        ("topic create t -p 0", "--partitions=0: write a whole number from 1 to 100000"),
        ("consume t -n 0", "--limit=0: write a whole number, at least 1"),
        ("produce t --rate -1", "--rate=-1: write a number, at least 0.001"),
        ("topic list -o foo", "--output=foo: write one of table, json"),
        ("broker", "missing option '--config'"),
    ],
)
def test_a_value_that_is_not_taken_is_named_with_what_is(words: str, said: str) -> None:
    done = subprocess.run(
        [PROGRAM, *words.split()], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"everlog: {said}; ")
    assert "Input" not in done.stderr
