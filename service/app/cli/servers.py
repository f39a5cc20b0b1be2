"""``everlog dev`` and ``everlog broker``: commands that run until they are stopped."""

import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from service.app.cli.failure import USAGE_STATUS, fail, misuse
from service.model.listen_address import PORT_MAX

if TYPE_CHECKING:
    from service.app.config import ConfigSources
    from service.app.gateway_process import GatewayProcess
    from service.model.broker_config import BrokerConfig
    from service.model.cluster import Endpoint

dev_app = typer.Typer(rich_markup_mode=None, add_completion=False)
broker_app = typer.Typer(rich_markup_mode=None, add_completion=False)

DATA_DIR_DEFAULT = Path("everlog-data")
KAFKA_PORT_DEFAULT = 9092
HTTP_PORT_DEFAULT = 8080
BROKERS_MAX = 9
"""A laptop's worth."""

SESSION_LOST_STATUS = 75
"""``EX_TEMPFAIL`` of sysexits.h: the session has ended, and a new start gets another one."""

_Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Set one setting; see `everlog config list`."),
]


@dev_app.command()
def dev(
    *,
    data_dir: Annotated[
        Path | None,
        typer.Option(help=f"Everything is kept below it. Default: {DATA_DIR_DEFAULT}."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=PORT_MAX,
            help=f"Port for Kafka clients; 0 takes a free one. Default: {KAFKA_PORT_DEFAULT}.",
        ),
    ] = None,
    brokers: Annotated[
        int,
        typer.Option(min=1, max=BROKERS_MAX, help="How many; each is a process, on the next port."),
    ] = 1,
    http_port: Annotated[
        int, typer.Option(min=0, max=PORT_MAX, help="Port of the gateway; 0 takes a free one.")
    ] = HTTP_PORT_DEFAULT,
    store: Annotated[
        str | None, typer.Option(help="URL of the object store. Default: a directory there.")
    ] = None,
    set_: _Set = None,
) -> None:
    """Run everything on this machine: broker, metadata, object store, gateway."""
    from service.app.config import ConfigSources

    command = {
        "data.dir": str(DATA_DIR_DEFAULT.absolute()),
        "listeners": _listeners(KAFKA_PORT_DEFAULT),
        "broker.id": "1",
    }
    # What is written on the command line holds against the environment, which holds against the
    # command's own defaults; --set comes last and holds against all.
    asked = {
        "data.dir": ("--data-dir", None if data_dir is None else str(data_dir.absolute())),
        "listeners": ("--port", None if port is None else _listeners(port)),
        "store.url": ("--store", store),
    }
    config = _load(
        ConfigSources(
            command=command,
            environment=os.environ,
            options={
                name: (option, text) for name, (option, text) in asked.items() if text is not None
            },
            flags=set_ or (),
        )
    )
    if http_port and http_port in [address.port for address in config.listeners]:
        advice = "give --port and --http-port a port each"
        misuse(f"Kafka clients and the gateway cannot both have port {http_port}", advice)
    if brokers == 1:
        _run(config, http_port=http_port)
    else:
        _run_several(config, brokers, http_port=http_port, flags=set_ or ())


@broker_app.command()
def broker(
    *,
    config: Annotated[Path | None, typer.Option(help="A TOML file.")] = None,
    read_only: Annotated[
        bool,
        typer.Option(
            "--read-only",
            help="Serve the archive in --store, which brokers of another cluster write.",
        ),
    ] = False,
    store: Annotated[str | None, typer.Option(help="URL of the object store.")] = None,
    cluster: Annotated[
        str | None,
        typer.Option(help="With --read-only: whose archive, if the store has several."),
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="What the broker keeps on disk is below it.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Only say what is wrong.")] = False,
    set_: _Set = None,
) -> None:
    """Run one broker of a cluster, or one that only reads the archive of another cluster."""
    from service.app.config import ConfigSources

    if config is None and not read_only:
        misuse("missing option '--config'", "give a TOML file; only --read-only does without")
    asked = {
        "archive.read.only": ("--read-only", "true" if read_only else None),
        "archive.read.only.cluster": ("--cluster", cluster),
        "data.dir": ("--data-dir", None if data_dir is None else str(data_dir.absolute())),
        "store.url": ("--store", store),
    }
    loaded = _load(
        ConfigSources(
            file=config,
            environment=os.environ,
            options={
                name: (option, text) for name, (option, text) in asked.items() if text is not None
            },
            flags=set_ or (),
        )
    )
    if check:
        print(f"{config or 'the configuration'} is fine")
        return
    _run(loaded, http_port=None)


def _listeners(port: int) -> str:
    return f"PLAINTEXT://127.0.0.1:{port}"


def _load(sources: "ConfigSources") -> "BrokerConfig":
    from service.app.config import load_config
    from service.model.broker_config import InvalidBrokerConfigError

    try:
        return load_config(sources)
    except InvalidBrokerConfigError as error:
        fail(str(error), "", status=USAGE_STATUS)


def _run(config: "BrokerConfig", *, http_port: int | None) -> None:
    """Run a broker, and with a port a gateway beside it, until a signal ends them."""
    from everlog.model.errors import EverlogError
    from service.app.cli.refused_address import explain
    from service.app.gateway_process import GatewayProcess
    from service.app.run_broker import run_broker
    from service.coordination.metadata_store import SessionExpiredError
    from service.model.network import CannotListenError
    from service.telemetry.logs import configure_logs

    configure_logs(level=config.logging_level, form=config.logging_format)
    try:
        logs = config.logging_level, config.logging_format
        gateway = None if http_port is None else GatewayProcess("127.0.0.1", http_port, logs=logs)
        run_broker(config, on_ready=partial(_greet, config, gateway), gateway=gateway)
    except CannotListenError as error:
        fail(*explain(error, setting=_setting_of(error.port, config, http_port)))
    except SessionExpiredError as error:
        fail(str(error), "start the broker again", status=SESSION_LOST_STATUS)
    except EverlogError as error:
        fail(str(error), "")


def _run_several(
    config: "BrokerConfig", brokers: int, *, http_port: int, flags: Sequence[str]
) -> None:
    """Run brokers, their metadata, and a gateway, until a signal ends them."""
    from everlog.model.errors import EverlogError
    from service.app.cli.greeting import ready_line, suggestions
    from service.app.cli.refused_address import explain
    from service.app.dev_cluster import DevCluster, run_dev_cluster
    from service.app.gateway_process import GatewayProcess
    from service.model.network import CannotListenError
    from service.telemetry.logs import configure_logs

    if set(config.given) & {"zookeeper.connect"}:
        misuse("--brokers keeps the metadata of its brokers itself", "leave zookeeper.connect out")
    configure_logs(level=config.logging_level, form=config.logging_format)
    (address,) = config.listeners[:1]
    try:
        logs = config.logging_level, config.logging_format
        gateway = GatewayProcess("127.0.0.1", http_port, logs=logs)
    except CannotListenError as error:
        fail(*explain(error, setting="--http-port"))
    cluster = DevCluster(
        brokers=brokers,
        data_dir=config.data_dir,
        port=address.port,
        store_url=config.store_url or f"file://{quote(config.data_dir)}/store",
        flags=flags,
    )

    def greet(bootstrap: str) -> None:
        print(ready_line(config, bootstrap, gateway.port), flush=True)
        if sys.stdout.isatty():
            print(suggestions(bootstrap.partition(",")[0]), flush=True)

    try:
        run_dev_cluster(cluster, on_ready=greet, gateway=gateway)
    except EverlogError as error:
        fail(str(error), "")


def _greet(
    config: "BrokerConfig",
    gateway: "GatewayProcess | None",
    endpoints: "tuple[Endpoint, ...]",
    admin_port: int,
) -> None:
    from service.app.cli.greeting import ready_line, suggestions

    bootstrap = f"{endpoints[0].host}:{endpoints[0].port}"
    http_port = admin_port if gateway is None else gateway.port
    print(ready_line(config, bootstrap, http_port), flush=True)
    if gateway is not None and sys.stdout.isatty():
        print(suggestions(bootstrap), flush=True)


def _setting_of(port: int, config: "BrokerConfig", http_port: int | None) -> str:
    """Return what somebody writes to have another port than that."""
    if port in [address.port for address in config.listeners]:
        setting = "listeners (--set listeners=PLAINTEXT://HOST:PORT)"
        return setting if http_port is None else f"--port or {setting}"
    return "--http-port" if port == http_port else "admin.host and admin.port"
