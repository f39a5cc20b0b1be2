"""Programs that run to their end."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from bench.errors import BenchError

_SAID_CHARS = 1000


def output_of(command: Sequence[str], *, limit_s: float, cwd: Path | None = None) -> str:
    """Run a program; return what it wrote to its stdout.

    Raises:
        BenchError: It failed, with its last words, or took longer than `limit_s`.
    """
    name = Path(command[0]).name
    try:
        ended = subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, timeout=limit_s, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"{name} took longer than {limit_s:g} s") from error
    if ended.returncode != 0:
        said = f"{ended.stdout}{ended.stderr}".strip()[-_SAID_CHARS:]
        raise BenchError(f"{name} failed ({ended.returncode}): {said}")
    return ended.stdout
