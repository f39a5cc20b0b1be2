"""How a command fails: one line on stderr that says what is wrong and what to do."""

import sys
from typing import NoReturn

USAGE_STATUS = 2
FAILURE_STATUS = 1
INTERRUPTED_STATUS = 130
"""128 and the number of SIGINT, as shells count."""


def fail(problem: str, advice: str, *, status: int = FAILURE_STATUS) -> NoReturn:
    """Say what is wrong and what to do, and end.

    Args:
        problem: One line, with the value that is wrong; several lines for several problems.
        advice: What to do; empty where the problem says it.
        status: Of the process.
    """
    text = f"{problem}; {advice}" if advice else problem
    print("\n".join(f"everlog: {line}" for line in text.splitlines()), file=sys.stderr)
    raise SystemExit(status)


def misuse(problem: str, advice: str) -> NoReturn:
    """Say what is wrong with how the command was called, and end."""
    fail(problem, advice, status=USAGE_STATUS)
