import subprocess
import sys


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
