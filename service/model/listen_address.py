"""Where a broker listens and how it is reached, in Kafka's syntax: ``NAME://host:port``."""

import re
from dataclasses import dataclass

WILDCARD_HOSTS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104  (recognised, never bound by default)
"""Hosts that mean every address of a machine; nobody can connect to one of them."""

PORT_MAX = (1 << 16) - 1

_NAME = r"[A-Za-z][A-Za-z0-9_]*"
_HOST = r"\[(?P<six>[0-9A-Fa-f:.]+(%[0-9A-Za-z_.-]+)?)\]|(?P<host>[0-9A-Za-z_.-]*)"
_ADDRESS = re.compile(rf"(?P<name>{_NAME})://({_HOST}):(?P<port>[0-9]{{1,5}})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenAddress:
    """The address of one listener, as it is configured.

    Attributes:
        listener: Its name, in capitals.
        host: Without brackets; empty for every address of the machine.
        port: 0 for any free one, which is known once it is bound.
    """

    listener: str
    host: str
    port: int

    @property
    def is_wildcard(self) -> bool:
        """Whether it stands for every address of the machine."""
        return self.host in WILDCARD_HOSTS

    @property
    def text(self) -> str:
        """The address as it is written in a configuration."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.listener}://{host}:{self.port}"


def read_listen_address(text: str) -> ListenAddress | None:
    """Read ``NAME://host:port``, an IPv6 address in brackets; None for anything else."""
    found = _ADDRESS.fullmatch(text.strip())
    if found is None or int(found["port"]) > PORT_MAX:
        return None
    host = found["six"] or found["host"] or ""
    return ListenAddress(listener=found["name"].upper(), host=host, port=int(found["port"]))
