import json
import subprocess
import sys

import pytest

CODE = """
import sys, structlog
from service.telemetry.logs import configure_logs
configure_logs(form=sys.argv[1])
structlog.get_logger().info("went_well", count=3)
"""


def logged(form: str) -> str:
    """Return what a process writes to a stderr that is no terminal."""
    run = subprocess.run(
        [sys.executable, "-c", CODE, form], capture_output=True, text=True, check=True
    )
    return run.stderr


@pytest.mark.parametrize("form", ["json", "auto"])
def test_events_are_one_json_object_a_line(form: str) -> None:
    event = json.loads(logged(form))
    assert (event["event"], event["count"], event["level"]) == ("went_well", 3, "info")


def test_text_can_be_had_without_a_terminal() -> None:
    line = logged("text")
    assert "went_well" in line
    assert "count=3" in line, "nothing is coloured there"
