"""InitProducerId: an id for an idempotent producer."""

import pytest

from service.broker.handlers.init_producer_id import InitProducerIdHandler
from service.coordination.producer_ids import ProducerIds
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.init_producer_id import InitProducerIdRequest
from tests.unit.broker.handlers.town import Town, context, town


async def ask(
    handler: InitProducerIdHandler,
    transactional_id: str | None = None,
    producer_id: int = -1,
    producer_epoch: int = -1,
) -> tuple[int, int, int]:
    request = InitProducerIdRequest(
        transactional_id=transactional_id,
        producer_id=producer_id,
        producer_epoch=producer_epoch,
    )
    found = await handler(context(4), request)
    return found.error_code, found.producer_id, found.producer_epoch


def handler_of(place: Town) -> InitProducerIdHandler:
    ids = ProducerIds(store=place.stage.store, broker_id=place.stage.broker.id)
    return InitProducerIdHandler(producer_ids=ids)


async def test_nobody_gets_an_id_twice() -> None:
    async with town() as place:
        first, second = handler_of(place), handler_of(place)
        found = [await ask(handler) for handler in (first, second) * 5]
        assert {(code, epoch) for code, _, epoch in found} == {(0, 0)}
        assert len({producer_id for _, producer_id, _ in found}) == 10


async def test_a_bump_gives_a_new_id() -> None:
    async with town() as place:
        handler = handler_of(place)
        _, old, _ = await ask(handler)
        code, new, epoch = await ask(handler, None, old, 32767)
        assert (code, epoch) == (0, 0)
        assert new != old


@pytest.mark.parametrize(
    ("transactional_id", "producer_id", "epoch", "code"),
    [
        ("", -1, -1, ErrorCode.INVALID_REQUEST),
        ("t", -1, -1, ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
        (None, 5, -1, ErrorCode.INVALID_REQUEST),
        (None, -1, 5, ErrorCode.INVALID_REQUEST),
    ],
)
async def test_what_is_not_offered_is_refused(
    transactional_id: str | None, producer_id: int, epoch: int, code: ErrorCode
) -> None:
    async with town() as place:
        found = await ask(handler_of(place), transactional_id, producer_id, epoch)
        assert found[0] == code
