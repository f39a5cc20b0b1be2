"""A broker's session with ZooKeeper: made of its settings, and given up when the loop is stuck."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from service.app.metadata import Metadata
from service.app.seams import Seams
from service.coordination.zookeeper.session import ZooKeeperSession
from service.coordination.zookeeper.settings import (
    Credentials,
    ZooKeeperAddress,
    ZooKeeperSettings,
    ZooKeeperTls,
)
from service.coordination.zookeeper.store import ZooKeeperStore
from service.model.broker_config import BrokerConfig
from service.telemetry.watchdog import Deadline

LOOP_STUCK_STATUS = 70
"""``EX_SOFTWARE`` of sysexits.h."""

GIVE_UP_SHARE = 0.5
"""Part of a session that the loop may be stuck before the session is given up."""

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def open_zookeeper(config: BrokerConfig, seams: Seams) -> AsyncIterator[Metadata]:
    """Begin a session for as long as the context lasts.

    Raises:
        ZooKeeperUnreachableError: No server has answered in time.
        RejectedError: The servers do not take the credentials, or a file cannot be read.
    """
    store = await ZooKeeperStore.connect(
        zookeeper_settings(config), clock=seams.clock, executor=seams.metadata_executor
    )
    try:
        yield Metadata(
            store=store,
            deadlines=_deadlines(store.session),
            silent_seconds=lambda: store.session.silent_seconds,
        )
    finally:
        await store.close()


def zookeeper_settings(config: BrokerConfig) -> ZooKeeperSettings:
    """Return what the settings of a broker say about ZooKeeper."""
    assert config.zookeeper_connect is not None, "it is what makes a broker use ZooKeeper"
    return ZooKeeperSettings(
        address=ZooKeeperAddress.parse(config.zookeeper_connect),
        session_seconds=config.zookeeper_session_timeout_ms / 1000,
        connection_seconds=config.zookeeper_connection_timeout_ms / 1000,
        tls=_tls(config) if config.zookeeper_ssl_client_enable else None,
        sasl=_credentials(config.zookeeper_sasl_user, config.zookeeper_sasl_password),
        digest=_credentials(config.zookeeper_digest_user, config.zookeeper_digest_password),
        owns_nodes=config.zookeeper_set_acl,
    )


def _tls(config: BrokerConfig) -> ZooKeeperTls:
    return ZooKeeperTls(
        trusted=config.zookeeper_ssl_truststore_location,
        certificate=config.zookeeper_ssl_keystore_location,
        key_password=config.zookeeper_ssl_keystore_password,
        checks_host=config.zookeeper_ssl_endpoint_identification_algorithm != "",
    )


def _credentials(user: str | None, password: str | None) -> Credentials | None:
    if user is None or password is None:
        return None
    return Credentials(user=user, password=password)


def _deadlines(session: ZooKeeperSession) -> tuple[Deadline, ...]:
    """Say when to end a session that kazoo's thread would keep whatever the loop does."""

    def give_up(seconds: float) -> None:
        advice = "the broker ends when it goes on, or else when the session would have ended"
        _log.critical("zookeeper_session_given_up", stuck_seconds=round(seconds, 3), advice=advice)
        session.give_up()

    def end_process(seconds: float) -> None:
        _log.critical("event_loop_dead", stuck_seconds=round(seconds, 3), advice="start it again")
        os._exit(LOOP_STUCK_STATUS)

    lasts = session.session_seconds
    return Deadline(GIVE_UP_SHARE * lasts, give_up), Deadline(lasts, end_process)
