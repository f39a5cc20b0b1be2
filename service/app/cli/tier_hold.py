"""``everlog tier hold``: nothing that is archived of a topic is removed until it is released."""

from typing import Annotated

import typer

from service.app.cli.connection import (
    BOOTSTRAP_DEFAULT,
    BootstrapOption,
    connect_admin,
    kafka_errors,
)
from service.app.cli.output import Output, OutputOption, show_json
from service.app.cli.topic_options import alter_settings, find_topic, read_cluster


def hold(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="What to keep whole.")],
    *,
    release: Annotated[
        bool, typer.Option("--release", help="End it: retention goes on where it was.")
    ] = False,
    bootstrap: BootstrapOption = BOOTSTRAP_DEFAULT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Keep everything that is archived of a topic, whatever retention or anybody else says."""
    with kafka_errors(bootstrap):
        admin = connect_admin(bootstrap)
        find_topic(read_cluster(admin), topic)
        values, unset = ({}, ["archive.hold"]) if release else ({"archive.hold": "true"}, [])
        alter_settings(admin, topic, values, unset)
    if output is Output.JSON:
        show_json({"topic": topic, "held": not release})
    elif release:
        print(f"{topic} is released; retention goes on where it was")
    else:
        print(f"{topic} is on hold; nothing archived of it is removed until --release")
