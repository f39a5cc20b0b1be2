"""How commands delete what has a name: see that it is all there, ask, delete, and say so."""

import sys
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Annotated

import typer

from service.app.cli.client_library import Admin
from service.app.cli.connection import connect_admin, kafka_errors
from service.app.cli.failure import fail, misuse
from service.app.cli.output import Output, show_json
from service.app.cli.typed_input import heeding_signals

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """What is to be deleted.

    Attributes:
        noun: What the names name.
        contents: What goes with it, for the question.
        check: Ends if one of the names names nothing.
        begin: Asks the cluster to delete.
    """

    noun: str
    names: list[str]
    contents: str
    check: Callable[[Admin], None]
    begin: Callable[[Admin], dict[str, Future[None]]]

    def run(self, bootstrap: str, *, yes: bool, output: Output) -> None:
        """Delete all of it, or end before anything is deleted."""
        if not yes and not sys.stdin.isatty():
            misuse("nobody is there to be asked", "use --yes")
        with kafka_errors(bootstrap):
            admin = connect_admin(bootstrap)
            self.check(admin)
            question = f"Delete {', '.join(self.names)} and {self.contents} of it?"
            if not yes and not _is_confirmed(question):
                fail("nothing was deleted", "")
            for future in self.begin(admin).values():
                future.result()
        if output is Output.JSON:
            show_json([{self.noun: name, "deleted": True} for name in self.names])
        else:
            print("\n".join(f"deleted {name}" for name in self.names))


def _is_confirmed(question: str) -> bool:
    """Ask; Enter and Ctrl-D are a no, and Ctrl-C ends the command."""
    print(f"{question} [y/N]: ", end="", file=sys.stderr, flush=True)
    with heeding_signals(sys.stdin.buffer) as lines:
        return lines.readline().strip().lower() in {b"y", b"yes"}
