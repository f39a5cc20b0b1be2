"""DescribeLogDirs: bytes of local logs by partition."""

from service.broker.handlers.describe_log_dirs import DescribeLogDirsHandler
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.describe_log_dirs import (
    DescribableLogDirTopic,
    DescribeLogDirsRequest,
    DescribeLogDirsResult,
)
from tests.unit.broker.handlers.town import Town, context, town
from tests.unit.partition.ground import batch, settled


async def asked(
    place: Town, topics: list[DescribableLogDirTopic] | None, *, data_dir: str = "/data"
) -> DescribeLogDirsResult:
    handler = DescribeLogDirsHandler(
        partitions=place.table, disk=place.disk, data_dir=data_dir, executor=None
    )
    response = await handler(context(4), DescribeLogDirsRequest(topics=topics))
    (result,) = response.results
    return result


def sizes(result: DescribeLogDirsResult) -> dict[tuple[str, int], int]:
    return {
        (topic.name, each.partition_index): each.partition_size
        for topic in result.topics
        for each in topic.partitions
    }


async def test_sizes_are_those_of_the_local_segments_and_the_volume_is_told() -> None:
    async with town() as place:
        partition = await place.topic("t", partitions=2)
        await place.topic("other")
        partition.append(batch(5))
        await settled(partition)
        everything = await asked(place, None)
        assert sizes(everything) == {
            ("t", 0): partition.hot.size,
            ("t", 1): 0,
            ("other", 0): 0,
        }
        assert partition.hot.size > 0
        usable, total = place.disk.free_bytes("/data")
        assert (everything.usable_bytes, everything.total_bytes) == (usable, total)
        assert (everything.log_dir, everything.error_code) == ("/data", 0)


async def test_what_is_not_here_is_left_out() -> None:
    async with town() as place:
        await place.topic("t", partitions=2)
        wanted = [
            DescribableLogDirTopic(topic="t", partitions=[1, 7]),
            DescribableLogDirTopic(topic="absent", partitions=[0]),
        ]
        assert sizes(await asked(place, wanted)) == {("t", 1): 0}
        assert sizes(await asked(place, [])) == {}


async def test_a_disk_that_does_not_answer_is_a_storage_error() -> None:
    class Gone:
        def free_bytes(self, path: str) -> tuple[int, int]:
            raise FileNotFoundError(path)

    async with town() as place:
        await place.topic("t")
        handler = DescribeLogDirsHandler(
            partitions=place.table,
            disk=Gone(),  # type: ignore[arg-type]
            data_dir="/data",
            executor=None,
        )
        (result,) = (await handler(context(4), DescribeLogDirsRequest(topics=None))).results
        assert (result.error_code, result.topics) == (ErrorCode.KAFKA_STORAGE_ERROR, [])
