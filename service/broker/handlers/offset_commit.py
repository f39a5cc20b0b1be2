"""OffsetCommit: keep how far a group has read."""

from collections.abc import Mapping

from everlog.model.errors import EverlogError
from everlog.model.ids import NO_TOPIC_ID, TopicId, TopicName
from everlog.model.offsets import LeaderEpoch, Offset
from service.broker.context import RequestContext
from service.broker.group_errors import group_code_of
from service.broker.metadata_view import Images
from service.groups.calls import Claim, CommitCall, OffsetCommit
from service.groups.coordinator import GroupCoordinator
from service.groups.errors import GroupNotFoundError, GroupTooLargeError
from service.groups.offsets import Place
from service.model.cluster import ClusterImage, TopicImage
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)

_GROUP_NOT_FOUND_SINCE = 9
_TOPIC_IDS_SINCE = 10

Codes = Mapping[Place, ErrorCode]


class OffsetCommitHandler:
    """Answers once the offsets are durable."""

    def __init__(self, *, coordinator: GroupCoordinator, images: Images) -> None:
        self._coordinator = coordinator
        self._images = images

    async def __call__(
        self, context: RequestContext, request: OffsetCommitRequest
    ) -> OffsetCommitResponse:
        by_id = context.api_version >= _TOPIC_IDS_SINCE
        image = self._images()
        found = [_find(image, topic, by_id=by_id) for topic in request.topics]
        offsets = tuple(
            offset
            for wanted, topic in zip(request.topics, found, strict=True)
            if topic is not None
            for offset in _offsets(wanted, topic, by_id=by_id)
        )
        codes: Codes = {}
        failure = ErrorCode.NONE
        try:
            codes = await self._commit(request, offsets)
        except EverlogError as error:
            failure = _failure(context, error)
        unknown = ErrorCode.UNKNOWN_TOPIC_ID if by_id else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        return OffsetCommitResponse(
            topics=[
                OffsetCommitResponseTopic(
                    name=wanted.name,
                    topic_id=wanted.topic_id,
                    partitions=_results(wanted, topic, codes, failure, unknown),
                )
                for wanted, topic in zip(request.topics, found, strict=True)
            ]
        )

    async def _commit(
        self, request: OffsetCommitRequest, offsets: tuple[OffsetCommit, ...]
    ) -> Codes:
        if not offsets:
            return {}
        generation = request.generation_id_or_member_epoch
        retention_ms = request.retention_time_ms
        call = CommitCall(
            claim=Claim(request.member_id, request.group_instance_id),
            generation=None if generation < 0 else generation,
            retention_ms=None if retention_ms < 0 else retention_ms,
            offsets=offsets,
        )
        refusals = await self._coordinator.commit(request.group_id, call)
        return {place: group_code_of(error) for place, error in refusals.items()}


def _find(
    image: ClusterImage, wanted: OffsetCommitRequestTopic, *, by_id: bool
) -> TopicImage | None:
    if by_id:
        return image.topic_by_id(TopicId(bytes(wanted.topic_id)))
    return image.topic(TopicName(wanted.name))


def _offsets(
    wanted: OffsetCommitRequestTopic, topic: TopicImage, *, by_id: bool
) -> list[OffsetCommit]:
    return [
        OffsetCommit(
            topic=topic.name,
            partition=each.partition_index,
            offset=Offset(each.committed_offset),
            leader_epoch=(
                None
                if each.committed_leader_epoch < 0
                else LeaderEpoch(each.committed_leader_epoch)
            ),
            metadata=each.committed_metadata or "",
            topic_id=topic.topic_id if by_id and topic.topic_id != NO_TOPIC_ID else None,
        )
        for each in wanted.partitions
        if 0 <= each.partition_index < len(topic.partitions)
    ]


def _results(
    wanted: OffsetCommitRequestTopic,
    topic: TopicImage | None,
    codes: Codes,
    failure: ErrorCode,
    unknown: ErrorCode,
) -> list[OffsetCommitResponsePartition]:
    results = []
    for each in wanted.partitions:
        index = each.partition_index
        if topic is None:
            code = unknown
        elif not 0 <= index < len(topic.partitions):
            code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        else:
            code = failure or codes.get((topic.name, index), ErrorCode.NONE)
        results.append(OffsetCommitResponsePartition(partition_index=index, error_code=code))
    return results


def _failure(context: RequestContext, error: EverlogError) -> ErrorCode:
    if isinstance(error, GroupNotFoundError) and context.api_version < _GROUP_NOT_FOUND_SINCE:
        return ErrorCode.ILLEGAL_GENERATION
    if isinstance(error, GroupTooLargeError):
        return ErrorCode.INVALID_COMMIT_OFFSET_SIZE
    return group_code_of(error)
