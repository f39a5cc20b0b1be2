"""DescribeCluster, key 60 (KIP-700): v1 endpoint type (919), v2 fenced brokers (1073)."""

from service.protocol.api import ApiKey
from service.protocol.schema import Request, Response, Struct
from service.protocol.schema_fields import (
    OPERATIONS_UNKNOWN,
    array,
    boolean,
    int8,
    int16,
    int32,
    string,
)

BROKER_ENDPOINT = 1
"""The endpoints of brokers are meant; 2 would be those of controllers (KIP-919)."""


class DescribeClusterRequest(Request, api=ApiKey.DESCRIBE_CLUSTER):
    """Which brokers are there."""

    include_cluster_authorized_operations: bool = boolean()
    endpoint_type: int = int8("1+", default=BROKER_ENDPOINT, ignorable=False)
    include_fenced_brokers: bool = boolean("2+", ignorable=False)


class DescribeClusterBroker(Struct):
    """A broker and where clients reach it."""

    broker_id: int = int32()
    host: str = string()
    port: int = int32()
    rack: str | None = string(nullable="0+", default=None)
    is_fenced: bool = boolean("2+")


class DescribeClusterResponse(Response, api=ApiKey.DESCRIBE_CLUSTER):
    """The cluster."""

    throttle_time_ms: int = int32()
    error_code: int = int16()
    error_message: str | None = string(nullable="0+", default=None)
    endpoint_type: int = int8("1+", default=BROKER_ENDPOINT)
    cluster_id: str = string()
    controller_id: int = int32(default=-1)
    brokers: list[DescribeClusterBroker] = array(DescribeClusterBroker)
    cluster_authorized_operations: int = int32(default=OPERATIONS_UNKNOWN)
