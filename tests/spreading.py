"""How the tests are spread over processes (pytest-xdist): by files, the longest first.

Whoever is free takes the next file, so what is left for the end is small, and all end together.
What files take is in ``file_seconds.json``, which ``make test ARGS=--keep-seconds`` writes.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest

SECONDS = Path(__file__).with_name("file_seconds.json")
SECONDS_MIN = 0.5
"""Quicker files are not worth a line; they come last."""

LEFT_OUT = "left_out"


class Named(Protocol):
    """A test, as far as its place goes."""

    @property
    def nodeid(self) -> str:
        """Its file, ``::`` and its name."""
        ...


NamedT = TypeVar("NamedT", bound=Named)


def put_longest_first(items: list[NamedT], seconds: dict[str, float]) -> None:
    """Sort tests by what their files take; those of a file stay as they are."""
    items.sort(key=lambda item: -seconds.get(_file_of(item.nodeid), 0.0))


def worth_keeping(seconds: dict[str, float]) -> dict[str, float]:
    """Return what is written down of what files took, longest first."""
    ranked = sorted(seconds.items(), key=lambda each: (-each[1], each[0]))
    return {file: round(took, 1) for file, took in ranked if took >= SECONDS_MIN}


class Spreading:
    """A plugin, in the process that was started and in those that it has started."""

    def __init__(self, config: pytest.Config) -> None:
        self._is_worker = hasattr(config, "workerinput")
        self._is_kept = config.getoption("--keep-seconds") and not self._is_worker
        self._seconds: Counter[str] = Counter()
        self._left_out: set[str] = set()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self._is_worker and SECONDS.exists():
            put_longest_first(items, json.loads(SECONDS.read_text()))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[_file_of(report.nodeid)] += report.duration

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self._left_out |= set(getattr(node, "workeroutput", {}).get(LEFT_OUT, ()))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for line in sorted(self._left_out):
            terminalreporter.write_line(line)

    def pytest_sessionfinish(self) -> None:
        if self._is_kept:
            SECONDS.write_text(json.dumps(worth_keeping(self._seconds), indent=1) + "\n")


def tell_what_is_left_out(config: pytest.Config, lines: list[str]) -> None:
    """Let the process that was started say what this one leaves out."""
    if hasattr(config, "workeroutput"):
        config.workeroutput[LEFT_OUT] = lines


def _file_of(nodeid: str) -> str:
    return nodeid.partition("::")[0]
