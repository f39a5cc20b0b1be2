"""InitProducerId, key 22: v3 epoch bumps (KIP-360), v4 fencing error (588), v5 abortable (890)."""

from service.protocol.api import ApiKey
from service.protocol.schema import Request, Response
from service.protocol.schema_fields import int16, int32, int64, string


class InitProducerIdRequest(Request, api=ApiKey.INIT_PRODUCER_ID):
    """Get an id for an idempotent producer, or the id of a transactional one with a new epoch."""

    transactional_id: str | None = string(nullable="0+")
    transaction_timeout_ms: int = int32()
    producer_id: int = int64("3+", default=-1, ignorable=False)
    producer_epoch: int = int16("3+", default=-1)


class InitProducerIdResponse(Response, api=ApiKey.INIT_PRODUCER_ID):
    """The id and epoch to stamp on batches."""

    throttle_time_ms: int = int32()
    error_code: int = int16()
    producer_id: int = int64(default=-1)
    producer_epoch: int = int16()
