from collections.abc import AsyncIterator

import pytest

from everlog.model.errors import RetriableError
from service.broker.handlers.delete_groups import DeleteGroupsHandler
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.delete_groups import DeleteGroupsRequest
from tests.unit.groups.desk import Desk, open_desk


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with open_desk() as desk:
        yield desk


async def _delete(desk: Desk, version: int, *groups: str) -> dict[str, int]:
    handler = DeleteGroupsHandler(coordinator=desk.hall.coordinator)
    response = await desk.ask(handler, version, DeleteGroupsRequest(groups_names=list(groups)))
    results = {result.group_id: int(result.error_code) for result in response.results}
    assert len(results) == len(response.results), "a group is answered once"
    return results


@pytest.mark.parametrize("version", range(3))
async def test_each_group_has_its_own_result(desk: Desk, version: int) -> None:
    await desk.hall.stable(1)
    await desk.hall.commit(("a", 0, 1), group="simple")
    assert await _delete(desk, version, "group", "simple", "nobody", "simple") == {
        "group": ErrorCode.NON_EMPTY_GROUP,
        "simple": ErrorCode.NONE,
        "nobody": ErrorCode.GROUP_ID_NOT_FOUND,
    }
    assert desk.hall.committed("simple") == {}


async def test_a_group_that_could_not_be_deleted_is_told(desk: Desk) -> None:
    await desk.hall.commit(("a", 0, 1))
    desk.hall.log.failure = RetriableError("no replicas")
    assert await _delete(desk, 2, "group") == {"group": ErrorCode.COORDINATOR_NOT_AVAILABLE}
    desk.hall.log.terms.clear()
    assert await _delete(desk, 2, "group") == {"group": ErrorCode.NOT_COORDINATOR}
