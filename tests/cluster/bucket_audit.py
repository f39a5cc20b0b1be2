"""Holds what is in the bucket against what the metadata say of the archive."""

import asyncio

from service.app.system import SystemClock
from service.coordination.payloads import unpack
from service.coordination.znodes import CLUSTER_ID
from service.coordination.zookeeper.settings import ZooKeeperAddress, ZooKeeperSettings
from service.coordination.zookeeper.store import ZooKeeperStore
from tests.cluster.cluster import Cluster
from tests.contract.object_stores import s3_store
from tests.fault.tier_audit import TierAudit, audit_tiers


def audited(cluster: Cluster) -> TierAudit:
    """Audit the tiers of a cluster whose brokers have stopped."""
    return asyncio.run(_audited(cluster))


async def _audited(cluster: Cluster) -> TierAudit:
    settings = ZooKeeperSettings(
        address=ZooKeeperAddress.parse(cluster.zookeeper.addresses + cluster.root),
        session_seconds=6.0,
        connection_seconds=20.0,
    )
    metadata = await ZooKeeperStore.connect(settings, clock=SystemClock())
    store = s3_store(cluster.store_endpoint, prefix=cluster.root.strip("/") + "/")
    try:
        content, _ = await metadata.get(CLUSTER_ID)
        cluster_id = str(unpack(content, CLUSTER_ID)["id"])
        return await audit_tiers(metadata, store, cluster_id, brokers=cluster.brokers.numbers)
    finally:
        await metadata.close()
        await store.close()
