"""What a session with ZooKeeper needs to know: where the servers are, times, and who one is."""

from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

PORT_DEFAULT = 2181


@dataclass(frozen=True, slots=True)
class ZooKeeperAddress:
    """Servers, and the path below which everything is kept: ``zookeeper.connect``, read.

    Attributes:
        servers: Host and port of each.
        root: Empty, or a path without a slash at its end.
    """

    servers: tuple[tuple[str, int], ...]
    root: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``h1:p1,h2:p2/path``, which the setting's rule has checked."""
        hosts, _, path = text.partition("/")
        places = [urlsplit(f"//{host.strip()}") for host in hosts.split(",")]
        servers = tuple((str(each.hostname), each.port or PORT_DEFAULT) for each in places)
        parts = [part for part in path.split("/") if part]
        return cls(servers=servers, root="".join(f"/{part}" for part in parts))

    @property
    def text(self) -> str:
        """The servers as people write them."""
        return ", ".join(written(*server) for server in self.servers)


def written(host: str, port: int) -> str:
    """Return one address as people write it, also of IPv6."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ZooKeeperTls:
    """Files in PEM form.

    Attributes:
        trusted: Certificates of authorities; None for those of the system.
        certificate: This client's own and its key, if the servers want one.
        key_password: Of the key, if it has one.
        checks_host: Whether the server's certificate must name the host that was asked for.
    """

    trusted: str | None = None
    certificate: str | None = None
    key_password: str | None = field(default=None, repr=False)
    checks_host: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A user and a password."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZooKeeperSettings:
    """Everything about one session.

    Attributes:
        session_seconds: Asked for; the servers may give another one, from 2 to 20 of their ticks.
        connection_seconds: How long the first connection may take.
        tls: None for plain TCP.
        sasl: Proven to the servers by DIGEST-MD5.
        digest: Told to the servers, for the access lists of scheme ``digest``.
        owns_nodes: Whether only the same user may read and write what this session creates.
    """

    address: ZooKeeperAddress
    session_seconds: float
    connection_seconds: float
    tls: ZooKeeperTls | None = None
    sasl: Credentials | None = None
    digest: Credentials | None = None
    owns_nodes: bool = False
