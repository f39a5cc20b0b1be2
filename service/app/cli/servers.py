"""``everlog dev`` and ``everlog broker``: commands that run until they are stopped."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from service.model.broker_config import BrokerConfig

USAGE_STATUS = 2
FAILURE_STATUS = 1

DATA_DIR_DEFAULT = Path("everlog-data")
KAFKA_PORT_DEFAULT = 9092

_Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Set one setting; see `everlog config list`."),
]


def dev(
    *,
    data_dir: Annotated[
        Path, typer.Option(help="Everything is kept below this directory.")
    ] = DATA_DIR_DEFAULT,
    port: Annotated[
        int, typer.Option(help="Port for Kafka clients; 0 takes a free one.")
    ] = KAFKA_PORT_DEFAULT,
    brokers: Annotated[int, typer.Option(help="How many brokers.")] = 1,
    store: Annotated[str | None, typer.Option(help="URL of the object store.")] = None,
    set_: _Set = None,
) -> None:
    """Run everything on this machine: broker, metadata, object store, gateway."""
    if brokers != 1:
        fail("replication is not there yet", "use --brokers 1", status=USAGE_STATUS)
    root = data_dir.absolute()
    command = {
        "data.dir": str(root),
        "listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "store.url": store or f"file://{root}/store",
        "broker.id": "1",
    }
    _run(command, None, set_ or [])


def broker(
    *,
    config: Annotated[Path, typer.Option(help="A TOML file.")],
    check: Annotated[bool, typer.Option("--check", help="Only say what is wrong.")] = False,
    set_: _Set = None,
) -> None:
    """Run one broker of a cluster."""
    if check:
        _load({}, config, set_ or [])
        print(f"{config} is fine")
        return
    _run({}, config, set_ or [])


def fail(problem: str, advice: str, *, status: int = FAILURE_STATUS) -> NoReturn:
    """Say what is wrong and what to do, and end."""
    print(f"everlog: {problem}; {advice}" if advice else f"everlog: {problem}", file=sys.stderr)
    raise SystemExit(status)


def _load(command: dict[str, str], file: Path | None, flags: list[str]) -> "BrokerConfig":
    from service.app.config import ConfigSources, load_config
    from service.model.broker_config import InvalidBrokerConfigError

    try:
        return load_config(
            ConfigSources(command=command, file=file, environment=os.environ, flags=flags)
        )
    except InvalidBrokerConfigError as error:
        fail(str(error), "", status=USAGE_STATUS)


def _run(command: dict[str, str], file: Path | None, flags: list[str]) -> None:
    from everlog.model.errors import EverlogError
    from service.app.run_broker import run_broker
    from service.model.cluster import Endpoint
    from service.telemetry.logs import configure_logs

    config = _load(command, file, flags)
    configure_logs(level=config.logging_level)

    def greet(endpoints: tuple[Endpoint, ...], admin_port: int) -> None:
        first = endpoints[0]
        print(
            f"everlog ready  kafka {first.host}:{first.port}  "
            f"http http://127.0.0.1:{admin_port}  data {config.data_dir}",
            flush=True,
        )

    try:
        run_broker(config, on_ready=greet)
    except EverlogError as error:
        fail(str(error), "")
    except OSError as error:
        fail(str(error), "use another port")
