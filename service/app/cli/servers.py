"""``everlog dev`` and ``everlog broker``: commands that run until they are stopped."""

import errno
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from service.app.gateway_process import GatewayProcess
    from service.model.broker_config import BrokerConfig
    from service.model.cluster import Endpoint

USAGE_STATUS = 2
FAILURE_STATUS = 1

DATA_DIR_DEFAULT = Path("everlog-data")
KAFKA_PORT_DEFAULT = 9092
HTTP_PORT_DEFAULT = 8080

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
    http_port: Annotated[
        int, typer.Option(help="Port of the gateway; 0 takes a free one.")
    ] = HTTP_PORT_DEFAULT,
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
    _run(_load(command, None, set_ or []), http_port=http_port)


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
    _run(_load({}, config, set_ or []), http_port=None)


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


def _run(config: "BrokerConfig", *, http_port: int | None) -> None:
    """Run a broker, and with a port a gateway beside it, until a signal ends them."""
    from everlog.model.errors import EverlogError
    from service.app.gateway_process import GatewayProcess
    from service.app.run_broker import run_broker
    from service.telemetry.logs import configure_logs

    configure_logs(level=config.logging_level)
    try:
        gateway = None if http_port is None else GatewayProcess("127.0.0.1", http_port)
        run_broker(config, on_ready=partial(_greet, config, gateway), gateway=gateway)
    except EverlogError as error:
        fail(str(error), "")
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        fail(_taken(config, http_port), "stop that process, or use --port and --http-port")


def _greet(
    config: "BrokerConfig",
    gateway: "GatewayProcess | None",
    endpoints: "tuple[Endpoint, ...]",
    admin_port: int,
) -> None:
    bootstrap = f"{endpoints[0].host}:{endpoints[0].port}"
    http_port = admin_port if gateway is None else gateway.port
    print(
        f"everlog ready  kafka {bootstrap}  http http://127.0.0.1:{http_port}  "
        f"data {config.data_dir}  store {config.store_url}",
        flush=True,
    )
    if gateway is not None and sys.stdout.isatty():
        print("Try:  everlog produce flights --file README.md        (another terminal)")
        print("      everlog consume flights --from earliest")
        print(f"      kcat -b {bootstrap} -L")
        print("Stop with Ctrl-C; the data stays and the next start goes on from it.", flush=True)


def _taken(config: "BrokerConfig", http_port: int | None) -> str:
    """Say which port is taken, and by whom as far as can be seen."""
    from service.app.port_owner import owner_of_port

    wanted = [address.port for address in config.listeners] + [http_port or 0, config.admin_port]
    for port in filter(None, wanted):
        owner = owner_of_port(port)
        if owner is not None:
            return f"port {port} is taken by {owner}"
    return "a port is taken"
