"""TLS, users and access lists, on a real ZooKeeper that asks for them."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from everlog.model.errors import RejectedError
from service.app.system import SystemClock
from service.coordination.metadata_store import Create, Set
from service.coordination.zookeeper.session import ZooKeeperUnreachableError
from service.coordination.zookeeper.settings import (
    Credentials,
    ZooKeeperSettings,
    ZooKeeperTls,
)
from service.coordination.zookeeper.store import ZooKeeperStore
from tests.contract.guarded_zookeeper import KEY_PASSWORD, PASSWORD, USER, Guarded


async def _connect(settings: ZooKeeperSettings) -> ZooKeeperStore:
    return await ZooKeeperStore.connect(settings, clock=SystemClock())


def _tls(guarded: Guarded) -> ZooKeeperTls:
    return ZooKeeperTls(
        trusted=str(guarded.trusted),
        certificate=str(guarded.certificate),
        key_password=KEY_PASSWORD,
    )


async def test_tls_with_a_certificate_of_ones_own(guarded_zookeeper: Guarded) -> None:
    store = await _connect(
        replace(
            guarded_zookeeper.settings(guarded_zookeeper.tls_address), tls=_tls(guarded_zookeeper)
        )
    )
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
    guarded_zookeeper: Guarded, change: Callable[[Guarded], dict[str, str | None]], said: str
) -> None:
    tls = replace(_tls(guarded_zookeeper), **change(guarded_zookeeper))  # type: ignore[arg-type]
    settings = replace(
        guarded_zookeeper.settings(guarded_zookeeper.tls_address), tls=tls, connection_seconds=2.0
    )
    with pytest.raises(ZooKeeperUnreachableError, match=said):
        await _connect(settings)


async def test_a_certificate_must_name_the_host_unless_that_is_not_wanted(
    guarded_zookeeper: Guarded,
) -> None:
    address = guarded_zookeeper.tls_address.replace("127.0.0.1", "localhost")
    settings = replace(
        guarded_zookeeper.settings(address), tls=_tls(guarded_zookeeper), connection_seconds=2.0
    )
    with pytest.raises(ZooKeeperUnreachableError, match="Hostname mismatch"):
        await _connect(settings)
    trusting = replace(_tls(guarded_zookeeper), checks_host=False)
    store = await _connect(replace(settings, tls=trusting, connection_seconds=20.0))
    await store.close()


async def test_a_user_is_proven_by_sasl(guarded_zookeeper: Guarded) -> None:
    sasl = Credentials(user=USER, password=PASSWORD)
    store = await _connect(
        replace(guarded_zookeeper.settings(guarded_zookeeper.address), sasl=sasl)
    )
    assert await store.create("/a") == "/a"
    await store.close()


async def test_a_wrong_password_is_refused_and_said_so(guarded_zookeeper: Guarded) -> None:
    sasl = Credentials(user=USER, password=KEY_PASSWORD)
    with pytest.raises(RejectedError, match="check the user and the password") as refusal:
        await _connect(replace(guarded_zookeeper.settings(guarded_zookeeper.address), sasl=sasl))
    assert KEY_PASSWORD not in str(refusal.value)


@pytest.mark.parametrize("scheme", ["sasl", "digest"])
async def test_nodes_with_an_owner_are_for_nobody_else(
    guarded_zookeeper: Guarded, scheme: str
) -> None:
    who = {scheme: Credentials(user=USER, password=PASSWORD)}
    anonymous = guarded_zookeeper.settings(guarded_zookeeper.address)
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


async def test_nodes_without_anybody_to_own_them_are_refused(guarded_zookeeper: Guarded) -> None:
    settings = replace(guarded_zookeeper.settings(guarded_zookeeper.address), owns_nodes=True)
    with pytest.raises(RejectedError, match=r"zookeeper\.digest\.user"):
        await _connect(settings)
