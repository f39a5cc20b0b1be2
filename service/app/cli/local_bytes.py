"""Bytes of local logs, as brokers tell them (DescribeLogDirs)."""

from service.app.cli.client_library import Cluster
from service.app.cli.connection import REQUEST_SECONDS_MAX
from service.app.cli.wire import ask

_VERSION = 4


def read_local_bytes(metadata: Cluster, topic: str) -> int | None:
    """Add up the bytes that the leaders of a topic have on their disks; None if one is silent."""
    by_leader: dict[int, list[int]] = {}
    for number, partition in metadata.topics[topic].partitions.items():
        by_leader.setdefault(partition.leader, []).append(number)
    total = 0
    for leader, numbers in by_leader.items():
        broker = metadata.brokers.get(leader)
        size = None if broker is None else _ask(broker.host, broker.port, topic, numbers)
        if size is None:
            return None
        total += size
    return total


def _ask(host: str, port: int, topic: str, numbers: list[int]) -> int | None:
    from service.protocol.errors import ProtocolError
    from service.protocol.messages.describe_log_dirs import (
        DescribableLogDirTopic,
        DescribeLogDirsRequest,
        DescribeLogDirsResponse,
    )

    wanted = DescribableLogDirTopic(topic=topic, partitions=sorted(numbers))
    request = DescribeLogDirsRequest(topics=[wanted])
    try:
        answer = ask((host, port), request, version=_VERSION, seconds_max=REQUEST_SECONDS_MAX)
    except (OSError, ProtocolError):
        return None
    assert isinstance(answer, DescribeLogDirsResponse)
    if answer.error_code or any(each.error_code for each in answer.results):
        return None
    return sum(
        partition.partition_size
        for result in answer.results
        for each in result.topics
        for partition in each.partitions
    )
