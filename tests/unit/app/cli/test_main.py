import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = str(Path(sys.executable).with_name("everlog"))


def test_help_loads_nothing_that_it_does_not_need() -> None:
    code = (
        "import sys\n"
        "from service.app.cli.main import main\n"
        "sys.argv = ['everlog', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = ('confluent_kafka', 'rich', 'structlog', 'uvloop', 'numpy', 'boto3', 'asyncio')\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "[]"
    assert "  consume  Read records" in run.stdout


def _shown(*words: str) -> str:
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, check=True).stdout


def test_the_version_is_that_of_the_package() -> None:
    assert _shown("--version") == f"everlog {importlib.metadata.version('everlog')}\n"


@pytest.mark.parametrize(
    ("words", "usage"),
    [
        (["topic", "delete"], "everlog topic delete [OPTIONS] TOPIC...\n"),
        (["topic", "create"], "everlog topic create [OPTIONS] TOPIC\n"),
        (["tier", "status"], "everlog tier status [OPTIONS] [TOPIC...]\n"),
        (["group", "seek"], "everlog group seek [OPTIONS] GROUP\n"),
        (["consume"], "everlog consume [OPTIONS] TOPIC\n"),
        (["produce"], "everlog produce [OPTIONS] TOPIC\n"),
        (["config", "list"], "everlog config list [OPTIONS]\n"),
    ],
)
def test_help_speaks_of_what_people_write(words: list[str], usage: str) -> None:
    shown = _shown(*words, "-h")
    assert shown.startswith(f"Usage: {usage}")
    assert not set("<{") & set(shown.replace("<=x<=", ""))
