"""InitProducerId: an id for an idempotent producer; transactional ones are not offered yet."""

from everlog.model.errors import RetriableError
from service.broker.context import RequestContext
from service.coordination.producer_ids import ProducerIds
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.init_producer_id import (
    InitProducerIdRequest,
    InitProducerIdResponse,
)

_NONE = -1


class InitProducerIdHandler:
    """Gives out ids that nobody has ever had (protocol research §2.2)."""

    def __init__(self, *, producer_ids: ProducerIds) -> None:
        self._producer_ids = producer_ids

    async def __call__(
        self, context: RequestContext, request: InitProducerIdRequest
    ) -> InitProducerIdResponse:
        del context
        if request.transactional_id is not None:
            if not request.transactional_id:
                return InitProducerIdResponse(error_code=ErrorCode.INVALID_REQUEST)
            return InitProducerIdResponse(
                error_code=ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, producer_epoch=_NONE
            )
        if (request.producer_id == _NONE) != (request.producer_epoch == _NONE):
            return InitProducerIdResponse(error_code=ErrorCode.INVALID_REQUEST)
        try:
            # A bump of an idempotent producer's epoch (KIP-360) is a fresh id as well, as in Kafka.
            producer_id = await self._producer_ids.next_id()
        except RetriableError:
            return InitProducerIdResponse(error_code=ErrorCode.COORDINATOR_NOT_AVAILABLE)
        return InitProducerIdResponse(producer_id=producer_id)
