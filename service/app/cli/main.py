"""The command `everlog`: nouns are loaded when they are asked for, so that ``--help`` is quick."""

import os
import sys
from difflib import get_close_matches
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup
from typing_extensions import override

from service.app.cli.failure import USAGE_STATUS, fail, misuse
from service.app.cli.refused_option import explain_option

_NOUNS = {
    "dev": ("servers", "Run everything on this machine: broker, metadata, archive, gateway."),
    "broker": ("servers", "Run one broker of a cluster, or check its configuration."),
    "topic": ("topics", "List, create, describe, alter and delete topics."),
    "produce": ("produce", "Write records from a file or from standard input."),
    "consume": ("consume", "Read records, from whichever tier holds them."),
    "group": ("groups", "List, describe, move and delete consumer groups."),
    "tier": (
        "tier",
        "Show what is local and what is archived, whether it is whole, and restore it.",
    ),
    "config": ("config", "Show the settings of brokers and topics."),
    "doctor": ("doctor", "Try out what a cluster depends on."),
}
"""By name: the module of this package, and what one line of help says."""


class _Nouns(TyperGroup):
    """Knows all nouns by name, and imports the one that is meant."""

    @override
    def list_commands(self, ctx: Any) -> list[str]:
        return list(_NOUNS)

    @override
    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in _NOUNS:
            return None
        module = import_module(f"service.app.cli.{_NOUNS[cmd_name][0]}")
        command = typer.main.get_command(getattr(module, f"{cmd_name}_app", None) or module.app)
        command.name = cmd_name
        command.help = _NOUNS[cmd_name][1] if command.help is None else command.help
        return command

    @override
    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        if name not in _NOUNS and not name.startswith("-") and not ctx.resilient_parsing:
            near = get_close_matches(name, _NOUNS, n=1)
            advice = (
                f"did you mean {near[0]}?" if near else '"everlog --help" shows those there are'
            )
            misuse(f"there is no command {name!r}", advice)
        return super().resolve_command(ctx, args)

    @override
    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _NOUNS.items()])


app = typer.Typer(
    name="everlog",
    cls=_Nouns,
    help="A log that any Kafka client can talk to and that never has to forget.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(asked: bool) -> None:  # noqa: FBT001  (typer calls it so)
    if asked:
        from importlib.metadata import version

        print(f"everlog {version('everlog')}")
        raise typer.Exit


@app.callback()
def _everlog(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """A log that any Kafka client can talk to and that never has to forget."""


def main() -> None:
    """Entry point of the console script."""
    command = typer.main.get_command(app)
    try:
        status = command.main(standalone_mode=False)
        sys.stdout.flush()
    except typer.Abort:
        fail("stopped", "nothing was changed")
    except typer.TyperException as error:
        _explain(error)
    except BrokenPipeError:
        # Whoever reads our output has had enough of it; nothing more can be said there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    else:
        raise SystemExit(status if isinstance(status, int) else 0)


def _explain(error: typer.TyperException) -> NoReturn:
    """End because of how the command was called."""
    text = error.format_message() if hasattr(error, "format_message") else str(error)
    if "\n" in text:  # the help of a command that was called with nothing
        print(text, file=sys.stderr)
        raise SystemExit(USAGE_STATUS)
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "everlog"
    problem = explain_option(error) or text[0].lower() + text[1:].rstrip(".")
    problem, _, meant = problem.partition(". Did you mean ")
    misuse(problem, f"did you mean {meant}" if meant else f'"{path} --help" shows how')
