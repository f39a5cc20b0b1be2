"""DescribeCluster: brokers and controller (KIP-700)."""

from service.broker.context import RequestContext
from service.broker.metadata_view import Images, controller_of, visible_brokers
from service.model.cluster import ClusterImage
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.describe_cluster import (
    DescribeClusterBroker,
    DescribeClusterRequest,
    DescribeClusterResponse,
)

BROKERS = 1


class DescribeClusterHandler:
    """Answers from the newest image."""

    def __init__(self, *, images: Images) -> None:
        self._images = images

    def __call__(
        self, context: RequestContext, request: DescribeClusterRequest
    ) -> DescribeClusterResponse:
        image = self._images()
        if request.endpoint_type != BROKERS:
            return DescribeClusterResponse(
                error_code=ErrorCode.UNSUPPORTED_ENDPOINT_TYPE,
                error_message="only the endpoints of brokers are known here",
                cluster_id=image.cluster_id,
            )
        return DescribeClusterResponse(
            cluster_id=image.cluster_id,
            controller_id=controller_of(image),
            brokers=[
                DescribeClusterBroker(
                    broker_id=each.node_id, host=each.host, port=each.port, rack=each.rack
                )
                for each in visible_brokers(image, context.listener)
            ]
            + (_fenced(image) if request.include_fenced_brokers else []),
        )


def _fenced(image: ClusterImage) -> list[DescribeClusterBroker]:
    """Return the brokers that are down (KIP-1073); where they were is not kept."""
    return [
        DescribeClusterBroker(broker_id=each, host="", port=-1, rack=rack, is_fenced=True)
        for each, rack in sorted(image.racks.items())
        if each not in image.brokers
    ]
