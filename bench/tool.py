"""Programs that run to their end."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.errors import BenchError

_ROOT = Path(__file__).parent.parent
_SAID_CHARS = 1000


def module_output(
    module: str, *arguments: str, limit_s: float, environment: Mapping[str, str] | None = None
) -> str:
    """Run a module of this checkout as a program of its own; see `output_of`."""
    command = [sys.executable, "-m", module, *arguments]
    return output_of(command, limit_s=limit_s, cwd=_ROOT, environment=environment)


def output_of(
    command: Sequence[str],
    *,
    limit_s: float,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a program; return what it wrote to its stdout.

    Args:
        command: The program and its arguments.
        limit_s: How long it may take.
        cwd: Where it runs, if not here.
        environment: What it finds there besides this program's own.

    Raises:
        BenchError: It failed, with its last words, or took longer than `limit_s`.
    """
    name = Path(command[0]).name
    try:
        ended = subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"{name} took longer than {limit_s:g} s") from error
    return ended_well(name, ended.returncode, ended.stdout, ended.stderr)


def ended_well(name: str, status: int, said: str, complaint: str) -> str:
    """Return what a program wrote to its stdout.

    Raises:
        BenchError: It failed, with its last words.
    """
    if status != 0:
        last = f"{said}{complaint}".strip()[-_SAID_CHARS:]
        raise BenchError(f"{name} failed ({status}): {last}")
    return said
