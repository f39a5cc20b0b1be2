"""What brokers tell of their disks (DescribeLogDirs)."""

from service.app.cli.client_library import Cluster
from service.app.cli.connection import REQUEST_SECONDS_MAX
from service.app.cli.wire import ask
from service.protocol.errors import ProtocolError
from service.protocol.messages.describe_log_dirs import (
    DescribableLogDirTopic,
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
)

_VERSION = 4


def read_local_bytes(metadata: Cluster, topic: str) -> int | None:
    """Add up the bytes that the leaders of a topic have on their disks; None if one is silent."""
    found = read_partition_bytes(metadata, topic)
    return None if found is None else sum(found.values())


def read_partition_bytes(metadata: Cluster, topic: str) -> dict[int, int] | None:
    """Return the bytes that each leader of a topic has on its disk; None if one is silent."""
    by_leader: dict[int, list[int]] = {}
    for number, partition in metadata.topics[topic].partitions.items():
        by_leader.setdefault(partition.leader, []).append(number)
    found: dict[int, int] = {}
    for leader, numbers in by_leader.items():
        wanted = DescribableLogDirTopic(topic=topic, partitions=sorted(numbers))
        directories = _ask(metadata, leader, [wanted])
        if directories is None:
            return None
        for directory in directories:
            for each in directory.topics:
                for partition in each.partitions:
                    found[partition.partition_index] = partition.partition_size
    return found


def read_log_dir(metadata: Cluster, broker: int) -> str | None:
    """Return where a broker keeps its logs, as an absolute path of its machine."""
    directories = _ask(metadata, broker, [])
    return directories[0].log_dir if directories else None


def _ask(
    metadata: Cluster, broker: int, topics: list[DescribableLogDirTopic]
) -> list[DescribeLogDirsResult] | None:
    """Ask one broker; None if it is not there, does not know the question, or has no answer."""
    found = metadata.brokers.get(broker)
    if found is None:
        return None
    request = DescribeLogDirsRequest(topics=topics)
    try:
        answer = ask(
            (found.host, found.port), request, version=_VERSION, seconds_max=REQUEST_SECONDS_MAX
        )
    except (OSError, ProtocolError):
        return None
    assert isinstance(answer, DescribeLogDirsResponse)
    if answer.error_code or any(each.error_code for each in answer.results):
        return None
    return answer.results
