"""A ZooKeeper that asks for certificates and users."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from service.coordination.zookeeper.settings import ZooKeeperAddress, ZooKeeperSettings
from tests.contract.certificates import Authority
from tests.contract.zookeeper_server import ZooKeeperServer, free_ports

USER, PASSWORD, KEY_PASSWORD = "broker", "not-a-secret", "of-the-key"

_JAAS = f"""\
Server {{
  org.apache.zookeeper.server.auth.DigestLoginModule required user_{USER}="{PASSWORD}";
}};
"""


@dataclass(frozen=True)
class Guarded:
    """A server with an open port, and one where TLS asks both sides for certificates."""

    address: str
    tls_address: str
    trusted: Path
    stranger: Path
    certificate: Path

    def settings(self, address: str) -> ZooKeeperSettings:
        return ZooKeeperSettings(
            address=ZooKeeperAddress.parse(f"{address}/test-{uuid4().hex}"),
            session_seconds=5.0,
            connection_seconds=20.0,
        )


@contextmanager
def running_guarded_zookeeper(directory: Path) -> Iterator[Guarded]:
    """Run one server on a directory of its own."""
    authority, stranger = Authority(directory, "authority"), Authority(directory, "stranger")
    key_store = authority.issue("server", address="127.0.0.1")
    certificate = authority.issue("client", address="127.0.0.1", password=KEY_PASSWORD)
    jaas = directory / "jaas.conf"
    jaas.write_text(_JAAS)
    port, tls_port = free_ports(2)
    auth = "org.apache.zookeeper.server.auth.SASLAuthenticationProvider"
    server = ZooKeeperServer(
        directory / "server",
        port=port,
        extra=[
            f"secureClientPort={tls_port}",
            "secureClientPortAddress=127.0.0.1",
            "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
            f"ssl.keyStore.location={key_store}",
            f"ssl.trustStore.location={authority.path}",
            "ssl.clientAuth=need",
            f"authProvider.sasl={auth}",
        ],
        java=[f"-Djava.security.auth.login.config={jaas}"],
    )
    server.start()
    server.wait()
    try:
        yield Guarded(
            address=server.address,
            tls_address=f"127.0.0.1:{tls_port}",
            trusted=authority.path,
            stranger=stranger.path,
            certificate=certificate,
        )
    finally:
        server.kill()
