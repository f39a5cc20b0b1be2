"""Why an address cannot be listened on, and what a person can do about it."""

import errno
import socket
from typing import TYPE_CHECKING

from service.app.port_owner import owner_of_port

if TYPE_CHECKING:
    from service.model.network import CannotListenError

PRIVILEGED_BELOW = 1024


def explain(error: "CannotListenError", *, setting: str) -> tuple[str, str]:
    """Return what is wrong and what to do.

    Args:
        error: The refusal.
        setting: Where the address was given: an option or a setting.
    """
    address = f"{error.host}:{error.port}"
    if isinstance(error.error, socket.gaierror):
        return f"the name {error.host} does not resolve", f"give {setting} an address of here"
    match error.error.errno:
        case errno.EADDRINUSE:
            owner = owner_of_port(error.port) or "another process"
            problem = f"port {error.port} is taken by {owner}"
            return problem, f"stop that process, or choose another port with {setting}"
        case errno.EADDRNOTAVAIL:
            problem = f"{error.host} is no address of this machine"
            return problem, f"give {setting} one that is, or 0.0.0.0 for all of them"
        case errno.EACCES | errno.EPERM:
            problem = f"this user may not listen on {address}"
            return problem, f"choose a port from {PRIVILEGED_BELOW} up with {setting}"
        case _:
            return str(error), f"give {setting} another address"
