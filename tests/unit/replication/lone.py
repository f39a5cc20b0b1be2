"""A partition of one replica, as its leader sees it."""

from everlog.model.ids import NodeId
from everlog.model.offsets import LeaderEpoch, Offset
from service.model.cluster import PartitionState
from service.replication.leader import LeaderReplicas

ME = NodeId(1)


def lone_replica(epoch: int) -> LeaderReplicas:
    state = PartitionState(
        replicas=(ME,),
        leader=ME,
        leader_epoch=LeaderEpoch(epoch),
        leader_broker_epoch=1,
        isr=(ME,),
        controller_epoch=1,
        version=epoch,
    )
    return LeaderReplicas(
        state, me=ME, term_start=Offset(0), isr_min=1, lag_seconds_max=30.0, now=0.0
    )
