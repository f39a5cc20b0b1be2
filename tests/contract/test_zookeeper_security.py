"""TLS, users and access lists, on a real ZooKeeper that asks for them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import pytest

from everlog.model.errors import RejectedError
from service.app.system import SystemClock
from service.coordination.metadata_store import Create, Set
from service.coordination.zookeeper.session import ZooKeeperUnreachableError
from service.coordination.zookeeper.settings import (
    Credentials,
    ZooKeeperAddress,
    ZooKeeperSettings,
    ZooKeeperTls,
)
from service.coordination.zookeeper.store import ZooKeeperStore
from tests.contract.certificates import Authority
from tests.contract.zookeeper_server import ADVICE, ZooKeeperServer, free_ports, is_installed

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


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    if not is_installed():
        pytest.skip(ADVICE)
    directory = tmp_path_factory.mktemp("guarded")
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
    yield Guarded(
        address=server.address,
        tls_address=f"127.0.0.1:{tls_port}",
        trusted=authority.path,
        stranger=stranger.path,
        certificate=certificate,
    )
    server.kill()


async def _connect(settings: ZooKeeperSettings) -> ZooKeeperStore:
    return await ZooKeeperStore.connect(settings, clock=SystemClock())


def _tls(guarded: Guarded) -> ZooKeeperTls:
    return ZooKeeperTls(
        trusted=str(guarded.trusted),
        certificate=str(guarded.certificate),
        key_password=KEY_PASSWORD,
    )


async def test_tls_with_a_certificate_of_ones_own(guarded: Guarded) -> None:
    store = await _connect(replace(guarded.settings(guarded.tls_address), tls=_tls(guarded)))
    large = bytes(500_000)
    await store.create("/a", large)
    assert (await store.get("/a"))[0] == large
    results = await store.get_many(["/a"] * 20)
    assert [each and each[0] == large for each in results] == [True] * 20
    await store.close()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda guarded: {"trusted": str(guarded.stranger)}, "CERTIFICATE_VERIFY_FAILED"),
        (lambda _: {"certificate": None}, "127.0.0.1"),
    ],
    ids=["a server of a stranger", "no certificate"],
)
async def test_tls_that_is_not_trusted_by_either_side_is_refused(
    guarded: Guarded, change: Callable[[Guarded], dict[str, str | None]], said: str
) -> None:
    tls = replace(_tls(guarded), **change(guarded))  # type: ignore[arg-type]
    settings = replace(guarded.settings(guarded.tls_address), tls=tls, connection_seconds=2.0)
    with pytest.raises(ZooKeeperUnreachableError, match=said):
        await _connect(settings)


async def test_a_certificate_must_name_the_host_unless_that_is_not_wanted(guarded: Guarded) -> None:
    address = guarded.tls_address.replace("127.0.0.1", "localhost")
    settings = replace(guarded.settings(address), tls=_tls(guarded), connection_seconds=2.0)
    with pytest.raises(ZooKeeperUnreachableError, match="Hostname mismatch"):
        await _connect(settings)
    trusting = replace(_tls(guarded), checks_host=False)
    store = await _connect(replace(settings, tls=trusting, connection_seconds=20.0))
    await store.close()


async def test_a_user_is_proven_by_sasl(guarded: Guarded) -> None:
    sasl = Credentials(user=USER, password=PASSWORD)
    store = await _connect(replace(guarded.settings(guarded.address), sasl=sasl))
    assert await store.create("/a") == "/a"
    await store.close()


async def test_a_wrong_password_is_refused_and_said_so(guarded: Guarded) -> None:
    sasl = Credentials(user=USER, password=KEY_PASSWORD)
    with pytest.raises(RejectedError, match="check the user and the password") as refusal:
        await _connect(replace(guarded.settings(guarded.address), sasl=sasl))
    assert KEY_PASSWORD not in str(refusal.value)


@pytest.mark.parametrize("scheme", ["sasl", "digest"])
async def test_nodes_with_an_owner_are_for_nobody_else(guarded: Guarded, scheme: str) -> None:
    who = {scheme: Credentials(user=USER, password=PASSWORD)}
    anonymous = guarded.settings(guarded.address)
    owned = replace(anonymous, owns_nodes=True, **who)  # type: ignore[arg-type]
    owner = await _connect(owned)
    await owner.create("/a", b"mine")
    await owner.multi([Create("/b", b"mine too"), Set("/a", b"still mine", 0)])
    again, stranger = await _connect(owned), await _connect(anonymous)
    assert (await again.get("/b"))[0] == b"mine too"
    for call in (
        stranger.get("/a"),
        stranger.get("/b"),
        stranger.set("/a", b"", version=1),
        stranger.create("/c"),
        stranger.multi([Set("/b", b"", 0)]),
    ):
        with pytest.raises(RejectedError, match="this user may not do that"):
            await call
    for store in (owner, again, stranger):
        await store.close()


async def test_nodes_without_anybody_to_own_them_are_refused(guarded: Guarded) -> None:
    settings = replace(guarded.settings(guarded.address), owns_nodes=True)
    with pytest.raises(RejectedError, match=r"zookeeper\.digest\.user"):
        await _connect(settings)
