"""The broker's own HTTP: metrics, liveness and readiness."""

from dataclasses import dataclass

from service.app.broker_metrics import broker_metrics, loop_metrics, metadata_metrics
from service.app.disk_metrics import disk_metrics
from service.app.metadata import Metadata
from service.app.node import BrokerNode
from service.app.process_metrics import process_metrics
from service.app.readiness import readiness
from service.app.seams import Seams
from service.app.source_facts import source_metrics, with_source
from service.app.tier_metrics import tier_metrics
from service.model.broker_config import BrokerConfig
from service.net.admin_http import AdminHttp, Answer
from service.partition.archive_follower import ArchiveFollower
from service.partition.archive_home import ArchiveHome
from service.partition.disk_pressure import DiskLevel
from service.telemetry.metrics import CONTENT_TYPE, Metrics
from service.telemetry.watchdog import Watchdog


@dataclass(frozen=True, slots=True)
class Admin:
    """The running pages."""

    http: AdminHttp
    port: int

    def close(self) -> None:
        """Stop answering."""
        self.http.close()


async def start_admin(
    node: BrokerNode,
    config: BrokerConfig,
    seams: Seams,
    metadata: Metadata,
    watchdog: Watchdog | None = None,
) -> Admin:
    """Serve the pages of a broker.

    Raises:
        CannotListenError: The address cannot be bound.
    """
    metrics = Metrics(
        [
            lambda: broker_metrics(node),
            lambda: loop_metrics(watchdog),
            lambda: metadata_metrics(metadata.silent_seconds()),
            lambda: tier_metrics(node.cold, node.table, seams.clock),
            lambda: source_metrics(_follower(node), seams.clock.monotonic()),
            lambda: disk_metrics(node.disk),
            process_metrics,
        ]
    )
    http = AdminHttp(
        network=seams.network,
        pages={
            "/metrics": lambda: Answer(200, metrics.page(), CONTENT_TYPE),
            "/livez": lambda: Answer(200, b"ok\n"),
            "/readyz": lambda: _readiness(node, seams, metadata),
        },
    )
    return Admin(http, await http.bind(config.admin_host, config.admin_port))


def _readiness(node: BrokerNode, seams: Seams, metadata: Metadata) -> Answer:
    now = seams.clock.monotonic()
    answer = readiness(
        is_ready=node.is_ready,
        table=node.table,
        home=_home(node),
        archives=() if node.cold is None else node.cold.archiver.archives,
        disk=DiskLevel.CALM if node.disk is None else node.disk.pressure.level,
        now=now,
        damaged=() if node.cold is None else node.cold.damaged,
        metadata_silent_seconds=metadata.silent_seconds(),
    )
    return with_source(answer, _follower(node), now)


def _follower(node: BrokerNode) -> ArchiveFollower | None:
    return None if node.cold is None else node.cold.follower


def _home(node: BrokerNode) -> ArchiveHome | None:
    transfer = None if node.cold is None else node.cold.transfer
    return None if transfer is None else transfer.home
