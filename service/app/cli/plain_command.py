"""A command whose help names arguments as people write them, without the types of the program."""

from typing import Any

from typer.core import TyperArgument, TyperCommand, TyperOption
from typing_extensions import override


class PlainCommand(TyperCommand):
    """Shows ``TOPIC``, ``TOPIC...`` and ``[TOPIC...]``."""

    @override
    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        names = [_usage(each) for each in self.params if isinstance(each, TyperArgument)]
        return ["[OPTIONS]", *names]

    @override
    def format_options(self, ctx: Any, formatter: Any) -> None:
        arguments = [
            (each.display_name_raw, each.help or "")
            for each in self.params
            if isinstance(each, TyperArgument)
        ]
        options = [
            record
            for each in self.get_params(ctx)
            if isinstance(each, TyperOption) and (record := each.get_help_record(ctx)) is not None
        ]
        for title, lines in (("Arguments", arguments), ("Options", options)):
            if lines:
                with formatter.section(title):
                    formatter.write_dl(lines)


def _usage(argument: TyperArgument) -> str:
    name = argument.display_name_raw + ("..." if argument.nargs != 1 else "")
    return name if argument.required else f"[{name}]"
