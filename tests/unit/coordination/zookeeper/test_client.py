import socket
from pathlib import Path

import pytest

from everlog.model.errors import RejectedError
from service.coordination.zookeeper.client import OneSessionHandler
from service.coordination.zookeeper.connecting import Connector, tls_context
from service.coordination.zookeeper.settings import (
    ZooKeeperAddress,
    ZooKeeperSettings,
    ZooKeeperTls,
)
from tests.contract.certificates import Authority

SETTINGS = ZooKeeperSettings(
    address=ZooKeeperAddress.parse("127.0.0.1:1"), session_seconds=9.0, connection_seconds=9.0
)


class BufferingSocket(socket.socket):
    """Has handed out only a part of what it has received, as TLS does."""

    def pending(self) -> int:
        return 5


def test_bytes_that_tls_holds_back_are_not_waited_for() -> None:
    handler = OneSessionHandler(Connector(SETTINGS))
    pair = socket.socketpair()
    with pair[0], pair[1] as other, BufferingSocket() as buffering:
        assert handler.select([buffering, other], [], [], None) == ([buffering], [], [])
        pair[0].send(b"x")
        assert handler.select([buffering, other], [], [], None) == ([buffering, other], [], [])
        assert handler.select([other], [], [], None) == ([other], [], [])


def test_nothing_is_connected_to_after_the_end_of_the_session() -> None:
    handler = OneSessionHandler(Connector(SETTINGS))
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        handler.create_connection(address, hostname="127.0.0.1").close()
        handler.has_ended = True
        with pytest.raises(ConnectionAbortedError):
            handler.create_connection(address, hostname="127.0.0.1")


def test_files_that_are_no_certificates_are_named(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    locked = authority.issue("locked", address="127.0.0.1", password="hush")  # noqa: S106
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("rubbish")
    with pytest.raises(RejectedError, match=rf"truststore\.location={rubbish}: .*PEM"):
        tls_context(ZooKeeperTls(trusted=str(rubbish)))
    with pytest.raises(RejectedError, match=r"truststore\.location=/nowhere: No such file"):
        tls_context(ZooKeeperTls(trusted="/nowhere"))
    with pytest.raises(RejectedError, match=rf"keystore\.location={locked}: .*password"):
        tls_context(ZooKeeperTls(trusted=str(authority.path), certificate=str(locked)))
    tls_context(
        ZooKeeperTls(trusted=str(authority.path), certificate=str(locked), key_password="hush")  # noqa: S106
    )
