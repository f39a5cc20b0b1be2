"""What a fetch request wants, with a session or without one (KIP-227), and how it is answered."""

from typing import Protocol

from typing_extensions import override

from everlog.model.errors import RejectedError
from service.broker.fetch_reading import Wanted
from service.broker.fetch_session import FetchSession, Followed, by_topic, followed
from service.broker.fetch_session_cache import FetchSessionCache
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.fetch import FetchRequest, FetchResponse, PartitionData

NO_SESSION = 0
EPOCH_FIRST = 0
"""A full request that wants a session."""

EPOCH_FINAL = -1
"""A full request that wants none, and closes the one that it names."""

_TOPIC_IDS_SINCE = 13


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
    """Finds out what requests want."""

    def __init__(self, *, cache: FetchSessionCache) -> None:
        self._cache = cache

    def open(self, request: FetchRequest, version: int) -> SessionView:
        """Find out what a request wants.

        Raises:
            SessionRefusedError: The request belongs to a session that is not known here, or it is
                not the next one of its session.
        """
        if request.session_epoch in (EPOCH_FIRST, EPOCH_FINAL):
            if request.session_id != NO_SESSION:
                self._cache.remove(request.session_id)
            partitions = followed(request)
            if request.session_epoch == EPOCH_FINAL:
                return _Sessionless(partitions)
            return _New(partitions, self._cache, by_topic_id=version >= _TOPIC_IDS_SINCE)
        return self._next(request, version)

    def _next(self, request: FetchRequest, version: int) -> SessionView:
        session = self._cache.get(request.session_id)
        if session is None:
            raise SessionRefusedError(ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
        if session.epoch != request.session_epoch:
            raise SessionRefusedError(ErrorCode.INVALID_FETCH_SESSION_EPOCH)
        if session.by_topic_id != (version >= _TOPIC_IDS_SINCE):
            raise SessionRefusedError(ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR)
        size_before = len(session.partitions)
        session.update(request)
        next_epoch = self._cache.touch(session, size_before)
        if next_epoch is None:
            raise SessionRefusedError(ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
        if not session.partitions:
            self._cache.remove(session.id)
            return _Sessionless({})
        return _Incremental(session, next_epoch)


class _Sessionless:
    """A full request: every partition is named, and every one is answered."""

    def __init__(self, partitions: Followed) -> None:
        self._partitions = partitions
        self.wanted = [each.wanted() for each in partitions.values()]

    def respond(self, results: list[PartitionData]) -> FetchResponse:
        return FetchResponse(responses=by_topic(self.wanted, results))


class _New(_Sessionless):
    """A full request that gets a session with its answer, if there is room for one."""

    def __init__(
        self, partitions: Followed, cache: FetchSessionCache, *, by_topic_id: bool
    ) -> None:
        super().__init__(partitions)
        self._cache = cache
        self._by_topic_id = by_topic_id

    @override
    def respond(self, results: list[PartitionData]) -> FetchResponse:
        response = super().respond(results)
        session = self._cache.create(self._partitions, by_topic_id=self._by_topic_id)
        if session is not None:
            response.session_id = session.id
            for each, result in zip(self._partitions.values(), results, strict=True):
                each.tell(result)
        return response


class _Incremental:
    """A request of a session: only what is new is answered."""

    def __init__(self, session: FetchSession, next_epoch: int) -> None:
        self._session = session
        self._next_epoch = next_epoch
        self._followed = list(session.partitions.items())
        self.wanted = [each.wanted() for _, each in self._followed]

    def respond(self, results: list[PartitionData]) -> FetchResponse:
        session = self._session
        if session.epoch != self._next_epoch:
            # Another request of the session has come before this one was answered.
            return FetchResponse(error_code=ErrorCode.INVALID_FETCH_SESSION_EPOCH)
        wanted: list[Wanted] = []
        news: list[PartitionData] = []
        for (key, each), asked, result in zip(self._followed, self.wanted, results, strict=True):
            if each.tell(result):
                wanted.append(asked)
                news.append(result)
                if result.records or result.error_code:
                    # In front, what fails would take the place of what can be read each time.
                    session.put_last(key)
        return FetchResponse(session_id=session.id, responses=by_topic(wanted, news))
