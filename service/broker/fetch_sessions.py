"""Fetch sessions (KIP-227): a client names its partitions once and then only what changes."""

from typing import Protocol

from everlog.model.errors import RejectedError
from service.broker.fetch_reading import Wanted
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.fetch import (
    FetchableTopicResponse,
    FetchRequest,
    FetchResponse,
    PartitionData,
)


class SessionRefusedError(RejectedError):
    """The session is unknown, or the request is not its next one; the client starts a new one."""

    def __init__(self, code: ErrorCode) -> None:
        super().__init__(code.name)
        self.code = code


class SessionView(Protocol):
    """One request of a session, or a request without one."""

    @property
    def wanted(self) -> list[Wanted]:
        """What to read, in the order of service."""
        ...

    def respond(self, results: list[PartitionData]) -> FetchResponse:
        """Answer with the results of `wanted`, in the same order."""
        ...


class FetchSessions:
    """Declines every session: such a request is a full one, which is always allowed."""

    def open(self, request: FetchRequest, version: int) -> SessionView:
        """Find out what a request wants.

        Raises:
            SessionRefusedError: The request belongs to a session that is not known here.
        """
        del version
        if request.session_id != 0:
            raise SessionRefusedError(ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
        return _Full(request)


class _Full:
    """A request without a session: every partition is named, and every one is answered."""

    def __init__(self, request: FetchRequest) -> None:
        self.wanted = [
            Wanted(
                topic=topic.topic,
                topic_id=bytes(topic.topic_id),
                index=each.partition,
                offset=each.fetch_offset,
                bytes_max=each.partition_max_bytes,
                leader_epoch=_optional(each.current_leader_epoch),
                fetched_epoch=_optional(each.last_fetched_epoch),
            )
            for topic in request.topics
            for each in topic.partitions
        ]
        self._topics = request.topics

    def respond(self, results: list[PartitionData]) -> FetchResponse:
        rest = iter(results)
        return FetchResponse(
            responses=[
                FetchableTopicResponse(
                    topic=topic.topic,
                    topic_id=topic.topic_id,
                    partitions=[next(rest) for _ in topic.partitions],
                )
                for topic in self._topics
            ]
        )


def _optional(epoch: int) -> int | None:
    return None if epoch < 0 else epoch
