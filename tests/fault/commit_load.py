"""Commits offsets over the wire, as fast as a broker takes them: frames that are made once.

A request commits the same offset, the number of the round, for every partition of the topic; what
tells partitions apart is the note that comes with each.
"""

import struct
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from service.protocol.codec import decode_response
from service.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from tests.integration.bad_input.wire import Wire, encoded

CONNECTIONS = 4
IN_FLIGHT = 4
"""Requests of one connection that are under way."""

_VERSION = 7
_PLACEHOLDER = 0x5EED_0FF5_E75E_ED0F
_INT64 = struct.Struct(">q")


def note_of(partition: int) -> str:
    """What is committed with the offset of a partition."""
    return f"p{partition}"


class CommitLoad:
    """Groups that commit for all partitions of a topic, round after round."""

    def __init__(
        self, address: tuple[str, int], topic: str, *, partitions: int, groups: Sequence[str]
    ) -> None:
        self._address = address
        self._frames = [_frame(group, topic, partitions) for group in groups]
        self._is_good = _Judge(partitions)

    def run(self, rounds: int) -> None:
        """Commit ``rounds`` times for each group; every commit is acknowledged on return."""
        with ExitStack() as open_:
            wires = [open_.enter_context(Wire(self._address)) for _ in range(CONNECTIONS)]
            under_way: deque[Wire] = deque()
            # A group keeps to one connection, so that its commits arrive in order.
            for wire, data in zip(self._turns(wires), self._requests(rounds), strict=False):
                if len(under_way) == CONNECTIONS * IN_FLIGHT:
                    self._is_good(under_way.popleft().receive_frame())
                wire.send(data)
                under_way.append(wire)
            for wire in under_way:
                self._is_good(wire.receive_frame())

    def _turns(self, wires: Sequence[Wire]) -> Iterator[Wire]:
        while True:
            for index in range(len(self._frames)):
                yield wires[index % len(wires)]

    def _requests(self, rounds: int) -> Iterator[bytes]:
        for number in range(rounds):
            for frame in self._frames:
                yield frame.replace(_INT64.pack(_PLACEHOLDER), _INT64.pack(number))


class _Judge:
    """Decodes the first response, and expects the others to be the same."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._good: bytes | None = None

    def __call__(self, frame: bytes) -> None:
        if frame == self._good:
            return
        _, response = decode_response(frame, OffsetCommitRequest.API_KEY, _VERSION)
        codes = [each.error_code for each in response.topics[0].partitions]
        assert codes == [0] * self._partitions, set(codes)
        self._good = frame


def _frame(group: str, topic: str, partitions: int) -> bytes:
    request = OffsetCommitRequest(
        group_id=group,
        topics=[
            OffsetCommitRequestTopic(
                name=topic,
                partitions=[
                    OffsetCommitRequestPartition(
                        partition_index=number,
                        committed_offset=_PLACEHOLDER,
                        committed_metadata=note_of(number),
                    )
                    for number in range(partitions)
                ],
            )
        ],
    )
    frame = encoded(request, _VERSION)
    assert frame.count(_INT64.pack(_PLACEHOLDER)) == partitions
    return frame
