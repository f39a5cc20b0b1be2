"""How one server is connected to: TCP, TLS if it is wanted, and what went wrong, for people."""

import socket
import ssl

from everlog.model.errors import RejectedError
from service.coordination.zookeeper.settings import ZooKeeperSettings, ZooKeeperTls, written

ATTEMPT_SECONDS_MAX = 3.0
"""How long one server may take for TCP and TLS, and again for its first answer."""

ATTEMPT_SHARE = 1 / 3
"""The same as a part of the session, which must not pass while one server hangs."""


class Connector:
    """Connects, and remembers the last trouble with each server; used by kazoo's thread.

    Attributes:
        attempt_seconds_max: How long one server may take, see `ATTEMPT_SECONDS_MAX`.

    Raises:
        RejectedError: A file of certificates cannot be used.
    """

    def __init__(self, settings: ZooKeeperSettings) -> None:
        self.attempt_seconds_max = min(
            ATTEMPT_SECONDS_MAX, ATTEMPT_SHARE * settings.session_seconds
        )
        self._tls = None if settings.tls is None else tls_context(settings.tls)
        self._problems = dict.fromkeys(settings.address.servers, "the name does not resolve")

    @property
    def trouble(self) -> str:
        """All servers, each with what went wrong last."""
        found = list(self._problems.items())
        return ", ".join(f"{written(*server)} ({problem})" for server, problem in found)

    def connect(self, host: str, address: tuple[str, int]) -> socket.socket:
        """Return a connection.

        Args:
            host: The name that was asked for; a certificate must be for it.
            address: What it resolves to, and the port.

        Raises:
            OSError: It cannot be made.
        """
        server = host, address[1]
        # Unless it fails below, or a session comes of it.
        self._problems[server] = "it accepts connections but does not answer as ZooKeeper does"
        try:
            connection = socket.create_connection(address, self.attempt_seconds_max)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                # Closes it if that fails.
                connection = self._tls.wrap_socket(connection, server_hostname=host)
        except OSError as error:
            self._problems[server] = error.strerror or str(error) or type(error).__name__
            raise
        return connection


def tls_context(tls: ZooKeeperTls) -> ssl.SSLContext:
    """Read the files of certificates.

    Raises:
        RejectedError: One of them cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=tls.trusted)
    except OSError as error:
        raise RejectedError(
            f"zookeeper.ssl.truststore.location={tls.trusted}: {_reason(error)}; give a PEM file "
            "with certificates"
        ) from error
    context.check_hostname = tls.checks_host
    if tls.certificate is not None:
        try:
            # Without a password OpenSSL would ask for one at the terminal.
            context.load_cert_chain(tls.certificate, password=tls.key_password or "")
        except OSError as error:
            raise RejectedError(
                f"zookeeper.ssl.keystore.location={tls.certificate}: {_reason(error)}; give a PEM "
                "file with a certificate and its key, and the key's password if it has one"
            ) from error
    return context


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
