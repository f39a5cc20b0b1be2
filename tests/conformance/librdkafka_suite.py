"""librdkafka's own test suite against a running broker, compared with what is expected of it.

    python -m tests.conformance.librdkafka_suite [--bootstrap ADDRESS] [--tests 0011,0103]

Without an address it starts the server that ``servers.py`` is told to. Every test number runs in
a process of its own, in quick mode: a test that crashes or hangs then takes no other with it.
``librdkafka_expected.toml`` names the tests that pass and what the others wait for.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.package_cache import cached, maven_jars, run_tool
from tests.conformance.servers import KAFKA_ARTIFACTS, SERVER_ENV, running_server

_EXPECTED = Path(__file__).with_name("librdkafka_expected.toml")
_PASSES = "passes"

_PACKAGE = "@confluentinc/kafka-javascript@1.10.1"
_RUNNER = "librdkafka-2.15.1-test-runner"
_KAFKA_VERSION = "4.1.0"
# Tests stop themselves after their own time limits; this is for a program that hangs.
_SECONDS_MAX = 900

# The scripts of a Kafka installation that some tests call.
_SCRIPTS = {
    "kafka-acls.sh": "org.apache.kafka.tools.AclCommand",
    "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
}
_SCRIPT = '#!/bin/sh\nexec java -XX:TieredStopAtLevel=1 -cp "{jars}" {program} "$@"\n'

# librdkafka backs off for a second when its queue is full, which is up to the threads' timing;
# 0059 seeks ten times within the ten seconds that it has.
_PATIENCE = "test.timeout.multiplier=2"

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a test ended: PASSED, FAILED or SKIPPED, and what it said about that."""

    state: str
    seconds: float = 0.0
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What is known about the suite on one server: for each test ``passes``, or what it lacks."""

    tests: Mapping[str, str]
    passes_min: int

    def numbers(self, chosen: str) -> list[str]:
        """Return the numbers of the tests, or those of them in a list with commas."""
        numbers = {name[:4] for name in self.tests}
        return sorted(numbers & set(chosen.split(",")) if chosen else numbers)


def main() -> int:
    """Run the suite, print a table, and return 0 if all is as expected or better."""
    options = _options()
    expectation = load_expectation(_EXPECTED.read_text(), options.server)
    runner = cached(_RUNNER, _build) / "test-runner"
    outcomes: dict[str, Outcome] = {}
    with (
        tempfile.TemporaryDirectory(prefix="librdkafka-suite-") as scratch,
        _address(options.bootstrap, Path(scratch)) as bootstrap,
    ):
        environment = _environment(bootstrap, Path(scratch))
        for number in expectation.numbers(options.tests):
            log = Path(options.logs or scratch).resolve() / f"{number}.log"
            _run(runner, number, environment, log=log, scratch=Path(scratch))
            outcomes |= _outcomes(number, expectation, log=log, scratch=Path(scratch))
            _print_table(number, outcomes, expectation)
    if options.accept:
        accepted = accept(_EXPECTED.read_text(), options.server, outcomes)
        _EXPECTED.write_text(accepted)
        expectation = load_expectation(accepted, options.server)
    complaints = judge(outcomes, expectation, whole=not options.tests)
    _say(f"\n{_passed(outcomes)} of {len(outcomes)} passed on {options.server}")
    for complaint in complaints:
        _say(f"NOT AS EXPECTED  {complaint}")
    return 1 if complaints else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run librdkafka's own test suite.")
    parser.add_argument("--bootstrap", help="a server that runs already, with num.partitions=4")
    parser.add_argument(
        "--server",
        default=os.environ.get(SERVER_ENV, "everlog").partition("-")[0],
        help="whose expectations count: everlog or kafka",
    )
    parser.add_argument("--tests", default="", help="numbers with commas between, or all")
    parser.add_argument("--logs", help="a directory that exists, to keep each number's output in")
    parser.add_argument("--accept", action="store_true", help="note what newly passes")
    return parser.parse_args()


def load_expectation(text: str, server: str) -> Expectation:
    """Read what is expected of a server from the text of the file."""
    tables = tomllib.loads(text)
    return Expectation(
        tests=tables["everywhere"] | tables[server], passes_min=tables["passes_min"][server]
    )


def judge(outcomes: Mapping[str, Outcome], expectation: Expectation, *, whole: bool) -> list[str]:
    """Return what is worse than expected, a line each; a whole run is counted, too."""
    complaints = [
        f"{name} {outcome.state}: {outcome.words}"
        for name, outcome in outcomes.items()
        if outcome.state != "PASSED" and expectation.tests[name] in {_PASSES, ""}
    ]
    if whole and _passed(outcomes) < expectation.passes_min:
        complaints.append(f"fewer than {expectation.passes_min} passed")
    return complaints


def accept(text: str, server: str, outcomes: Mapping[str, Outcome]) -> str:
    """Return the file's text with what passed now noted; nothing is ever taken back."""
    lines = []
    table = ""
    for line in text.splitlines(keepends=True):
        if line.startswith("["):
            table = line.strip()
        name = line.partition(" = ")[0]
        passed = name in outcomes and outcomes[name].state == "PASSED"
        lines.append(f'{name} = "{_PASSES}"\n' if passed and table == f"[{server}]" else line)
    return "".join(lines)


def _build(made: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="librdkafka-build-") as scratch:
        directory = Path(scratch)
        run_tool(["npm", "pack", "--silent", _PACKAGE], cwd=directory)
        (archive,) = directory.glob("*.tgz")
        run_tool(["tar", "xzf", archive.name], cwd=directory)
        source = directory / "package" / "deps" / "librdkafka"
        run_tool(["bash", "./configure"], cwd=source)
        for part, target in (
            ("src", "librdkafka.a"),
            ("src-cpp", "librdkafka++.a"),
            ("tests", "build"),
        ):
            run_tool(["make", f"-j{os.cpu_count()}", "-C", part, target], cwd=source)
        (source / "tests" / "test-runner").rename(made / "test-runner")


@contextmanager
def _address(given: str | None, scratch: Path) -> Iterator[str]:
    if given is not None:
        yield given
        return
    directory = scratch / "server"
    directory.mkdir()
    with running_server(directory) as bootstrap:
        yield bootstrap


def _environment(bootstrap: str, scratch: Path) -> dict[str, str]:
    scripts = scratch / "kafka" / "bin"
    scripts.mkdir(parents=True)
    jars = os.pathsep.join(map(str, maven_jars("kafka-4.1.0", KAFKA_ARTIFACTS)))
    for name, program in _SCRIPTS.items():
        (scripts / name).write_text(_SCRIPT.format(jars=jars, program=program))
        (scripts / name).chmod(0o755)
    config = scratch / "test.conf"
    config.write_text(f"bootstrap.servers={bootstrap}\n{_PATIENCE}\n")
    return os.environ | {
        "BROKERS": bootstrap,
        "KAFKA_PATH": str(scripts.parent),
        "RDKAFKA_TEST_CONF": str(config),
        "TEST_KAFKA_VERSION": _KAFKA_VERSION,
        "TEST_REPORT": str(scratch / "report.json"),
    }


def _run(
    runner: Path, number: str, environment: Mapping[str, str], *, log: Path, scratch: Path
) -> None:
    """Run the tests of a number; they leave a log, and a report in the scratch directory."""
    (scratch / "report.json").unlink(missing_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [runner, "-p1", "-Q", "-E", "-L"],
            cwd=scratch,
            env={**environment, "TESTS": number},
            stdout=output,
            stderr=output,
        )
        try:
            process.wait(_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _outcomes(
    number: str, expectation: Expectation, *, log: Path, scratch: Path
) -> dict[str, Outcome]:
    """Return the outcomes of a number's tests; a program that left no report has failed them."""
    said = _COLOUR.sub("", log.read_text(errors="replace"))
    names = [name for name in sorted(expectation.tests) if name.startswith(number)]
    try:
        report = json.loads((scratch / "report.json").read_text())["tests"]
    except (FileNotFoundError, json.JSONDecodeError):
        *_, last = ["", *(line for line in said.splitlines() if line.strip())]
        return {name: Outcome(state="FAILED", words=f"crashed or hung: {last}") for name in names}
    return {
        name: Outcome(
            state=report[name]["state"],
            seconds=report[name]["duration"],
            words=_words(name, said),
        )
        for name in names
    }


def _words(name: str, said: str) -> str:
    """Return what follows a failure's headline, or why the runner's table says it was skipped."""
    failed = re.search(rf'^### Test "{name}.*\n(.*)$', said, re.MULTILINE)
    skipped = re.search(rf"^\| {name} .*\|.*\|(.*)$", said, re.MULTILINE)
    found = failed or skipped
    return found[1].strip() if found else ""


def _print_table(number: str, outcomes: Mapping[str, Outcome], expectation: Expectation) -> None:
    for name, outcome in outcomes.items():
        if name.startswith(number):
            expected = expectation.tests[name]
            _say(f"{name:<48} {outcome.state:<8} {outcome.seconds:6.1f} s  {expected}")


def _passed(outcomes: Mapping[str, Outcome]) -> int:
    return sum(outcome.state == "PASSED" for outcome in outcomes.values())


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
