"""OffsetFetch: how far groups have read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from everlog.model.errors import EverlogError
from everlog.model.ids import NO_TOPIC_ID, TopicId, TopicName
from service.broker.context import RequestContext
from service.broker.group_errors import group_code_of
from service.broker.metadata_view import Images
from service.groups.coordinator import GroupCoordinator
from service.groups.offset_record import CommittedOffset
from service.model.cluster import ClusterImage
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestTopics,
    OffsetFetchResponse,
    OffsetFetchResponseGroup,
    OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
)

_GROUP_ERROR_SINCE = 2
_MANY_GROUPS_SINCE = 8
_TOPIC_IDS_SINCE = 10
_NO_OFFSET = -1
_NO_EPOCH = -1

Committed = Mapping[TopicName, Mapping[int, CommittedOffset]]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A topic that is asked for; without a name it is not known by its id."""

    name: TopicName | None
    topic_id: bytes
    partitions: Sequence[int]


class OffsetFetchHandler:
    """Answers at once, with what is durable.

    There are no transactions, so no offset is ever unstable (``require_stable``).
    """

    def __init__(self, *, coordinator: GroupCoordinator, images: Images) -> None:
        self._coordinator = coordinator
        self._images = images

    def __call__(self, context: RequestContext, request: OffsetFetchRequest) -> OffsetFetchResponse:
        version = context.api_version
        if version >= _MANY_GROUPS_SINCE:
            groups = [
                self._group(version, group.group_id, group.topics) for group in request.groups
            ]
            return OffsetFetchResponse(groups=groups)
        topics = request.topics
        as_of_v8 = (
            None
            if topics is None
            else [
                OffsetFetchRequestTopics(name=each.name, partition_indexes=each.partition_indexes)
                for each in topics
            ]
        )
        return _single(self._group(version, request.group_id, as_of_v8))

    def _group(
        self, version: int, group_id: str, topics: Sequence[OffsetFetchRequestTopics] | None
    ) -> OffsetFetchResponseGroup:
        by_id = version >= _TOPIC_IDS_SINCE
        image = self._images()
        wanted = None if topics is None else [_wanted(image, each, by_id=by_id) for each in topics]
        try:
            committed = self._coordinator.fetch(group_id)
        except EverlogError as error:
            return _refusal(version, group_id, wanted or (), group_code_of(error))
        if wanted is None:
            found = _everything(image, committed, by_id=by_id)
        else:
            found = [_topic(each, committed) for each in wanted]
        return OffsetFetchResponseGroup(group_id=group_id, topics=found)


def _wanted(image: ClusterImage, asked: OffsetFetchRequestTopics, *, by_id: bool) -> _Wanted:
    if not by_id:
        return _Wanted(TopicName(asked.name), NO_TOPIC_ID, asked.partition_indexes)
    topic_id = TopicId(bytes(asked.topic_id))
    return _Wanted(image.names.get(topic_id), topic_id, asked.partition_indexes)


def _topic(wanted: _Wanted, committed: Committed) -> OffsetFetchResponseTopics:
    if wanted.name is None:
        return _failed(wanted, ErrorCode.UNKNOWN_TOPIC_ID)
    offsets = committed.get(wanted.name, {})
    return OffsetFetchResponseTopics(
        name=wanted.name,
        topic_id=wanted.topic_id,
        partitions=[
            _partition(index, offsets.get(index), wanted.topic_id) for index in wanted.partitions
        ],
    )


def _everything(
    image: ClusterImage, committed: Committed, *, by_id: bool
) -> list[OffsetFetchResponseTopics]:
    found = []
    for name, offsets in committed.items():
        topic = image.topic(name)
        if by_id and topic is None:
            continue  # it is gone, and there is no other way to name it
        topic_id = topic.topic_id if by_id and topic is not None else NO_TOPIC_ID
        partitions = [
            _partition(index, offset, topic_id)
            for index, offset in offsets.items()
            if _is_of(offset, topic_id)
        ]
        if partitions:
            found.append(
                OffsetFetchResponseTopics(name=name, topic_id=topic_id, partitions=partitions)
            )
    return found


def _partition(
    index: int, offset: CommittedOffset | None, topic_id: bytes
) -> OffsetFetchResponsePartitions:
    if offset is None or not _is_of(offset, topic_id):
        return _no_offset(index, ErrorCode.NONE)
    epoch = offset.leader_epoch
    return OffsetFetchResponsePartitions(
        partition_index=index,
        committed_offset=offset.offset,
        committed_leader_epoch=_NO_EPOCH if epoch is None else epoch,
        metadata=offset.metadata,
    )


def _is_of(offset: CommittedOffset, topic_id: bytes) -> bool:
    """Tell whether an offset belongs to this topic and not to an older one of its name."""
    known = offset.topic_id
    return known is None or topic_id in {NO_TOPIC_ID, known}


def _no_offset(index: int, code: ErrorCode) -> OffsetFetchResponsePartitions:
    return OffsetFetchResponsePartitions(
        partition_index=index,
        committed_offset=_NO_OFFSET,
        committed_leader_epoch=_NO_EPOCH,
        metadata="",
        error_code=code,
    )


def _failed(wanted: _Wanted, code: ErrorCode) -> OffsetFetchResponseTopics:
    return OffsetFetchResponseTopics(
        name=wanted.name or "",
        topic_id=wanted.topic_id,
        partitions=[_no_offset(index, code) for index in wanted.partitions],
    )


def _refusal(
    version: int, group_id: str, wanted: Sequence[_Wanted], code: ErrorCode
) -> OffsetFetchResponseGroup:
    if version >= _GROUP_ERROR_SINCE:
        return OffsetFetchResponseGroup(group_id=group_id, error_code=code)
    # Version 1 has no place for an error of the group but the partitions.
    return OffsetFetchResponseGroup(
        group_id=group_id, topics=[_failed(each, code) for each in wanted]
    )


def _single(group: OffsetFetchResponseGroup) -> OffsetFetchResponse:
    return OffsetFetchResponse(
        error_code=group.error_code,
        topics=[
            OffsetFetchResponseTopic(
                name=topic.name,
                partitions=[
                    OffsetFetchResponsePartition(
                        partition_index=each.partition_index,
                        committed_offset=each.committed_offset,
                        committed_leader_epoch=each.committed_leader_epoch,
                        metadata=each.metadata,
                        error_code=each.error_code,
                    )
                    for each in topic.partitions
                ],
            )
            for topic in group.topics
        ],
    )
