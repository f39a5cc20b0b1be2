"""What a server says once clients are served: one line for scripts, and commands for people."""

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from service.app.cli.connection import BOOTSTRAP_DEFAULT

if TYPE_CHECKING:
    from service.model.broker_config import BrokerConfig

NAME = "everlog"


def ready_line(config: "BrokerConfig", bootstrap: str, http_port: int) -> str:
    """Return where everything is, in one line."""
    store = config.store_url or f"file://{config.data_dir}/store"
    return (
        f"everlog ready  kafka {bootstrap}  http http://127.0.0.1:{http_port}  "
        f"data {config.data_dir}  store {store}"
    )


def suggestions(bootstrap: str) -> str:
    """Return three commands to try, as they work in the directory and on the port of this one."""
    program = program_name()
    where = "" if bootstrap == BOOTSTRAP_DEFAULT else f" --bootstrap {bootstrap}"
    return (
        f"Try:  echo hello | {program} produce greetings{where}        (another terminal)\n"
        f"      {program} consume greetings{where}\n"
        f"      {program} topic list{where}\n"
        "Stop with Ctrl-C; the data stays, and the next start with the same --store goes on."
    )


def program_name() -> str:
    """Return what to type for this command: its name if the shell finds it, else its path."""
    program = Path(sys.executable).with_name(NAME)
    found = shutil.which(NAME)
    if found is not None and program.exists() and Path(found).samefile(program):
        return NAME
    here = os.path.relpath(program)
    return str(program) if here.startswith("..") else here
