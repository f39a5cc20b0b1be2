"""The C clients: compiled when their source is newer, run as processes, one JSON line each."""

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.errors import BenchError
from bench.tool import ended_well, output_of

SOURCES = Path(__file__).parent / "clients"
_PROGRAMS = ("produce", "consume", "latency", "disk")
_FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra")
_LIBRARIES = ("-lrdkafka", "-lpthread")
_COMPILE_LIMIT_S = 120.0
_RUN_LIMIT_S = 900.0
_NEEDED = "install a C compiler and librdkafka's headers (apt: gcc librdkafka-dev)"


class Clients:
    """The compiled clients in one build directory."""

    def __init__(self, build_dir: Path) -> None:
        self._build_dir = build_dir

    def prepare(self) -> None:
        """Compile what has changed.

        Raises:
            BenchError: No compiler, no librdkafka, or a source that does not compile.
        """
        compiler = os.environ.get("CC", "gcc")
        if shutil.which(compiler) is None:
            raise BenchError(f"{compiler} is not on the PATH: {_NEEDED}")
        self._build_dir.mkdir(parents=True, exist_ok=True)
        for program in _PROGRAMS:
            if self._is_fresh(program):
                continue
            source, target = SOURCES / f"{program}.c", self._build_dir / program
            command = [compiler, *_FLAGS, "-o", str(target), str(source), *_LIBRARIES]
            try:
                output_of(command, limit_s=_COMPILE_LIMIT_S)
            except BenchError as error:
                raise BenchError(f"{error}\n{_NEEDED}") from error

    def librdkafka_version(self) -> str:
        """The version that the clients run with."""
        return self._output("produce", "-V").strip()

    def run(self, program: str, *arguments: str) -> dict[str, float]:
        """Run to the end; return its figures.

        Raises:
            BenchError: It failed; the message is its own.
        """
        figures: dict[str, float] = json.loads(self._output(program, *arguments))
        return figures

    @contextlib.contextmanager
    def running(self, program: str, *arguments: str) -> Iterator[dict[str, float]]:
        """Run meanwhile, and end it by SIGTERM; gives its figures, which are there afterwards.

        Raises:
            BenchError: It failed; the message is its own.
        """
        figures: dict[str, float] = {}
        command = self._command(program, *arguments)
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                yield figures
            finally:
                process.terminate()
                said, complaint = process.communicate()
        figures |= json.loads(ended_well(program, process.returncode, said, complaint))

    def _output(self, program: str, *arguments: str) -> str:
        return output_of(self._command(program, *arguments), limit_s=_RUN_LIMIT_S)

    def _command(self, program: str, *arguments: str) -> list[str]:
        return [str(self._build_dir / program), *arguments]

    def _is_fresh(self, program: str) -> bool:
        target = self._build_dir / program
        sources = (SOURCES / f"{program}.c", SOURCES / "client.h")
        return target.exists() and all(
            target.stat().st_mtime > source.stat().st_mtime for source in sources
        )


def settings(pairs: Mapping[str, str]) -> list[str]:
    """Write librdkafka's settings as arguments."""
    return [part for name, value in pairs.items() for part in ("-X", f"{name}={value}")]
