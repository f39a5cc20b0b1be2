"""What the cold side of a broker is put into."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from service.app.seams import Seams
from service.coordination.metadata_store import MetadataStore
from service.hot.store import HotStore
from service.model.broker_config import BrokerConfig
from service.partition.table import PartitionTable

Run = Callable[[Coroutine[Any, Any, None]], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class TierSite:
    """What the cold side is put into.

    Attributes:
        run: Owns tasks that live as long as the broker.
        spawn: Owns tasks that end by themselves.
        scrub_since_ms: ``archive.scrub.since.ms`` by now.
    """

    config: BrokerConfig
    seams: Seams
    metadata: MetadataStore
    hot: HotStore
    table: PartitionTable
    cluster_id: str
    run: Run
    spawn: Run
    scrub_since_ms: Callable[[], int] = lambda: 0
