"""Moves leaders back to the brokers that are preferred, when too few of a broker's are there."""

import asyncio
from collections import Counter

import structlog

from everlog.model.errors import RetriableError
from service.coordination.asked_elections import ElectionKind, LeaderElections, Named
from service.coordination.cluster_image import ImageFollower
from service.coordination.controller import Controller
from service.coordination.elections import Electorate
from service.model.cluster import ClusterImage, PartitionState

_log = structlog.get_logger(__name__)


class LeaderBalance:
    """Looks every so often, while this broker is the controller.

    Args:
        interval_seconds: How often.
        percentage: So many of the partitions that prefer a broker may be led by others.
    """

    def __init__(
        self,
        *,
        images: ImageFollower,
        controller: Controller,
        elections: LeaderElections,
        interval_seconds: float,
        percentage: int,
    ) -> None:
        self._images = images
        self._controller = controller
        self._elections = elections
        self._interval_seconds = interval_seconds
        self._percentage = percentage

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await asyncio.sleep(self._interval_seconds)
            wanted = misplaced(self._images.image, percentage=self._percentage)
            if self._controller.term is None or not wanted:
                continue
            try:
                found = await self._elections.elect(wanted, ElectionKind.PREFERRED)
            except RetriableError as error:
                _log.warning("leaders_not_moved_back", reason=str(error))
            else:
                moved = sum(why is None for why in found.values())
                _log.info("leaders_moved_back", partitions=moved)


def misplaced(image: ClusterImage, *, percentage: int) -> list[Named]:
    """Return the partitions to move back to their preferred leaders.

    They are those of brokers of whose partitions more than ``percentage`` are led by others, as far
    as these brokers can lead them now.
    """
    electorate = Electorate.of(image.brokers.values())
    preferring: Counter[int] = Counter()
    elsewhere: Counter[int] = Counter()
    movable: list[tuple[Named, PartitionState]] = []
    for topic in image.topics.values():
        for number, state in enumerate(topic.partitions):
            preferred = state.replicas[0]
            preferring[preferred] += 1
            if state.leader != preferred:
                elsewhere[preferred] += 1
                if preferred in electorate.live and preferred in state.isr:
                    movable.append(((topic.name, number), state))
    crooked = {
        each for each, count in elsewhere.items() if 100 * count > percentage * preferring[each]
    }
    return [named for named, state in movable if state.replicas[0] in crooked]
