"""What `everlog dev` says on a terminal is true there: the commands are run as they are shown."""

import os
import pty
import signal
import subprocess
import sys
import threading
from pathlib import Path

from service.app.cli.greeting import program_name

PROGRAM = Path(sys.executable).with_name("everlog")
QUIET = {key: value for key, value in os.environ.items() if not key.startswith("EVERLOG_")}
SECONDS_MAX = 60


def read_until(descriptor: int, end: str) -> str:
    shown = ""
    while end not in shown:
        shown += os.read(descriptor, 65536).decode()
    return shown.replace("\r\n", "\n")


def output_of(command: str, environment: dict[str, str]) -> str:
    """Run a line as a shell does."""
    return subprocess.run(
        ["/bin/sh", "-c", command],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        timeout=SECONDS_MAX,
    ).stdout


def test_the_three_commands_work_as_they_are_shown(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    ports = ["--port", "0", "--http-port", "0"]
    # The directory of the program is not searched, as on a machine that has just run "make run".
    environment = {**QUIET, "PATH": "/usr/bin:/bin", "TERM": "dumb"}
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            [PROGRAM, "dev", "--data-dir", str(tmp_path / "data"), *ports],
            stdout=theirs,
            stderr=log,
            env=environment,
        )
    os.close(theirs)
    watch = threading.Timer(SECONDS_MAX, server.kill)
    watch.start()
    try:
        shown = read_until(ours, "Stop with Ctrl-C")
        first, *lines = [line for line in shown.splitlines() if not line.startswith("Stop")]
        assert first.startswith("everlog ready  kafka 127.0.0.1:")
        produce, consume, listing = [line[6:].split("   ")[0] for line in lines]
        assert "greetings  1 record" in output_of(produce, environment)
        assert output_of(consume, environment) == "hello\n"
        assert "greetings" in output_of(listing, environment)
        assert '"first_start": true' in (tmp_path / "log").read_text()
        server.send_signal(signal.SIGTERM)
        assert server.wait(SECONDS_MAX) == 0
    finally:
        watch.cancel()
        server.kill()
        server.wait()
        os.close(ours)


def test_the_program_is_named_by_a_path_that_works_here() -> None:
    name = program_name()
    assert name == "everlog" or Path(name).samefile(PROGRAM)
