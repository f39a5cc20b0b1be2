"""The command `everlog`: nouns are loaded when they are asked for, so that ``--help`` is quick."""

import typer

from service.app.cli.servers import broker, dev

app = typer.Typer(
    name="everlog",
    help="A log that any Kafka client can talk to and that never has to forget.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(dev)
app.command()(broker)


def main() -> None:
    """Entry point of the console script."""
    app()
