"""OffsetDelete: forget offsets in topics that a group reads no more (KIP-496)."""

from collections.abc import Mapping

from everlog.model.errors import EverlogError
from everlog.model.ids import TopicName
from service.broker.context import RequestContext
from service.broker.group_errors import group_code_of
from service.broker.metadata_view import Images
from service.groups.coordinator import GroupCoordinator
from service.groups.offsets import Place
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteResponse,
    OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
)


class OffsetDeleteHandler:
    """Answers once the offsets are gone for good."""

    def __init__(self, *, coordinator: GroupCoordinator, images: Images) -> None:
        self._coordinator = coordinator
        self._images = images

    async def __call__(
        self, _context: RequestContext, request: OffsetDeleteRequest
    ) -> OffsetDeleteResponse:
        image = self._images()
        places = [
            (TopicName(topic.name), each.partition_index)
            for topic in request.topics
            for each in topic.partitions
        ]
        unknown = {place for place in places if image.partition(*place) is None}
        known = [place for place in places if place not in unknown]
        try:
            refusals = await self._coordinator.delete_offsets(request.group_id, known)
        except EverlogError as error:
            return OffsetDeleteResponse(error_code=group_code_of(error))
        codes = {place: group_code_of(error) for place, error in refusals.items()}
        codes |= dict.fromkeys(unknown, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        return _response(request, codes)


def _response(
    request: OffsetDeleteRequest, codes: Mapping[Place, ErrorCode]
) -> OffsetDeleteResponse:
    return OffsetDeleteResponse(
        topics=[
            OffsetDeleteResponseTopic(
                name=topic.name,
                partitions=[
                    OffsetDeleteResponsePartition(
                        partition_index=each.partition_index,
                        error_code=codes.get(
                            (TopicName(topic.name), each.partition_index), ErrorCode.NONE
                        ),
                    )
                    for each in topic.partitions
                ],
            )
            for topic in request.topics
        ]
    )
