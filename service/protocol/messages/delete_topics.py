"""DeleteTopics, key 20: v5 error messages and quotas (KIP-599), v6 topic ids (516)."""

from service.protocol.api import ApiKey
from service.protocol.schema import Request, Response, Struct
from service.protocol.schema_fields import array, int16, int32, string, uuid


class DeleteTopicState(Struct):
    """A topic, by its name or, with a null name, by its id."""

    name: str | None = string("6+", nullable="6+", default=None)
    topic_id: bytes = uuid("6+")


class DeleteTopicsRequest(Request, api=ApiKey.DELETE_TOPICS):
    """Delete topics: ``topic_names`` up to v5, then ``topics``."""

    topics: list[DeleteTopicState] = array(DeleteTopicState, "6+", ignorable=False)
    topic_names: list[str] = array(string(), "0-5", ignorable=False)
    timeout_ms: int = int32()


class DeletableTopicResult(Struct):
    """What became of one topic."""

    name: str | None = string(nullable="6+")
    topic_id: bytes = uuid("6+")
    error_code: int = int16()
    error_message: str | None = string("5+", nullable="5+", default=None)


class DeleteTopicsResponse(Response, api=ApiKey.DELETE_TOPICS):
    """One result for each topic of the request."""

    throttle_time_ms: int = int32("1+")
    responses: list[DeletableTopicResult] = array(DeletableTopicResult)
