"""A program's last words are not lost."""

import sys

import pytest

from bench.errors import BenchError
from bench.tool import output_of


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_the_output_of_a_program_is_returned() -> None:
    assert output_of(python("print('x')"), limit_s=60) == "x\n"


def test_a_failure_says_what_the_program_said() -> None:
    with pytest.raises(BenchError, match=r"failed \(3\): why"):
        output_of(python("import sys; print('why', file=sys.stderr); sys.exit(3)"), limit_s=60)


def test_a_program_that_does_not_end_is_not_waited_for() -> None:
    with pytest.raises(BenchError, match=r"took longer than 0\.05 s"):
        output_of(python("import time; time.sleep(600)"), limit_s=0.05)
