"""DescribeCluster: brokers with their racks, and those that are down for who asks."""

from service.broker.handlers.describe_cluster import DescribeClusterHandler
from service.coordination.registration import register_broker
from service.protocol.messages.describe_cluster import DescribeClusterRequest
from tests.unit.broker.handlers.town import context
from tests.unit.coordination.stage import description, founded, open_server, running


async def test_brokers_that_are_down_are_told_only_to_who_asks_for_them() -> None:
    server = await open_server()
    async with running(server, rack="a") as stage:
        other = await founded(server)
        await register_broker(other, description(2, rack="b"))
        await stage.images.wait_for(lambda image: len(image.brokers) == 2)
        await other.close()
        await stage.images.wait_for(lambda image: len(image.brokers) == 1)
        handler = DescribeClusterHandler(images=lambda: stage.image)
        for asked, expected in (
            (False, [(1, "b1", 9092, "a", False)]),
            (True, [(1, "b1", 9092, "a", False), (2, "", -1, "b", True)]),
        ):
            request = DescribeClusterRequest(include_fenced_brokers=asked)
            found = [
                (each.broker_id, each.host, each.port, each.rack, each.is_fenced)
                for each in handler(context(2), request).brokers
            ]
            assert found == expected


async def test_the_racks_of_brokers_reach_the_placement_of_replicas() -> None:
    server = await open_server()
    async with running(server, rack="a") as stage:
        for number, rack in ((2, "a"), (3, "b"), (4, "b")):
            await register_broker(await founded(server), description(number, rack=rack))
        await stage.images.wait_for(lambda image: len(image.brokers) == 4)
        await stage.create("t", partitions=12, replication_factor=2)
        racks = {1: "a", 2: "a", 3: "b", 4: "b"}
        for state in stage.topic("t").partitions:
            assert {racks[each] for each in state.replicas} == {"a", "b"}, state.replicas
