"""The broker's own HTTP: metrics, liveness and readiness."""

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.core import Metric

from service.app.node import BrokerNode
from service.app.process_metrics import process_metrics
from service.app.seams import Seams
from service.app.tier_metrics import tier_metrics
from service.model.broker_config import BrokerConfig
from service.net.admin_http import AdminHttp, Answer
from service.telemetry.metrics import CONTENT_TYPE, Metrics, gauge


@dataclass(frozen=True, slots=True)
class Admin:
    """The running pages."""

    http: AdminHttp
    port: int

    def close(self) -> None:
        """Stop answering."""
        self.http.close()


async def start_admin(node: BrokerNode, config: BrokerConfig, seams: Seams) -> Admin:
    """Serve the pages of a broker.

    Raises:
        OSError: The address cannot be bound.
    """
    metrics = Metrics(
        [
            lambda: _broker_metrics(node),
            lambda: tier_metrics(node.cold, seams.clock),
            process_metrics,
        ]
    )
    http = AdminHttp(
        network=seams.network,
        pages={
            "/metrics": lambda: Answer(200, metrics.page(), CONTENT_TYPE),
            "/livez": lambda: Answer(200, b"ok\n"),
            "/readyz": lambda: _readiness(node),
        },
    )
    return Admin(http, await http.bind(config.admin_host, config.admin_port))


def _readiness(node: BrokerNode) -> Answer:
    if not node.is_ready:
        return Answer(503, b"not ready: the broker is starting or stopping\n")
    offline = [p for p in node.table.partitions if p.hot.failure is not None]
    if offline:
        names = ", ".join(f"{p.topic}-{p.index}" for p in offline[:10])
        return Answer(503, f"not ready: the disk refused writes of {names}\n".encode())
    return Answer(200, b"ok\n")


def _broker_metrics(node: BrokerNode) -> Iterator[Metric]:
    partitions = node.table.partitions
    yield gauge("everlog_partitions", "Partitions that this broker leads.", len(partitions))
    yield gauge(
        "everlog_partitions_offline",
        "Partitions whose disk has refused a write.",
        sum(1 for p in partitions if p.hot.failure is not None),
    )
    yield gauge(
        "everlog_local_bytes", "Bytes of local segments.", sum(p.hot.size for p in partitions)
    )
    yield gauge("everlog_connections", "Open client connections.", node.connection_count)
    yield gauge(
        "everlog_inflight_bytes", "Request bytes received and not answered.", node.budget.used
    )
