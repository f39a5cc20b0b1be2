"""Dynamic settings of brokers reach every image."""

import pytest

from everlog.model.errors import RejectedError
from everlog.model.ids import NodeId
from service.coordination.changes import last_sequence
from service.coordination.cluster_image import ImageFollower
from tests.unit.coordination.stage import founded, running


async def test_settings_of_one_broker_and_of_all_are_in_the_image_on_return() -> None:
    async with running() as stage:
        assert await stage.configs.alter(None, lambda _: {"a": "1"}) == {"a": "1"}
        assert await stage.configs.alter(NodeId(1), lambda _: {"a": "2"}) == {"a": "2"}
        await stage.configs.alter(NodeId(1), lambda old: {**old, "b": "3"})
        assert stage.image.broker_configs == {None: {"a": "1"}, 1: {"a": "2", "b": "3"}}
        assert [delta.configs_changed for delta in stage.deltas[-3:]] == [{None}, {1}, {1}]


async def test_settings_are_found_by_a_load() -> None:
    async with running() as stage:
        await stage.configs.alter(None, lambda _: {"a": "1"})
        await stage.configs.alter(NodeId(7), lambda _: {"b": "2"})
        images = ImageFollower(store=await founded(stage.server))
        await images.load()
        assert images.image.broker_configs == {None: {"a": "1"}, 7: {"b": "2"}}


async def test_a_refused_change_writes_nothing() -> None:
    async with running() as stage:
        before = await last_sequence(stage.store)

        def refuse(_old: object) -> dict[str, str]:
            raise RejectedError("no")

        with pytest.raises(RejectedError, match="no"):
            await stage.configs.alter(None, refuse)
        assert await last_sequence(stage.store) == before
        assert stage.image.broker_configs == {}
