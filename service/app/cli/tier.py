"""``everlog tier``: what is local and what is archived, whether it is whole, copies, and back."""

import typer

from service.app.cli.plain_command import PlainCommand
from service.app.cli.tier_clone import clone
from service.app.cli.tier_copy import copy
from service.app.cli.tier_cuts import cuts
from service.app.cli.tier_deleted import deleted, undelete
from service.app.cli.tier_explain import explain
from service.app.cli.tier_gc import gc
from service.app.cli.tier_hold import hold
from service.app.cli.tier_locate import locate
from service.app.cli.tier_restore import restore
from service.app.cli.tier_scrub import scrub
from service.app.cli.tier_status import status
from service.app.cli.tier_verify import verify

app = typer.Typer(
    help="Show what is local, what is archived, whether it is whole; copy, clone and restore it.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

for _command in (
    *(status, explain, locate, verify, scrub, gc, hold, deleted, undelete),
    *(cuts, copy, clone, restore),
):
    app.command(cls=PlainCommand)(_command)
