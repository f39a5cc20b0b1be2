"""Which seats a broker cannot prove at its start, once it has looked at its logs."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import structlog

from everlog.model.errors import EverlogError
from everlog.model.ids import NodeId, PartitionId
from service.coordination.seats import Remains, keeps_seat
from service.hot.store import HotStore
from service.model.cluster import ClusterImage, PartitionState, TopicImage
from service.model.setting_type import Value
from service.model.topic_config import TopicConfig
from service.partition.topic_rules import hot_config

OPENING_AT_ONCE_MAX = 64
"""Logs that are being recovered side by side; the read threads do the work."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What is proven for all logs of a data directory, as of the registration before.

    Attributes:
        same_directory: Whether it is the directory of that registration.
        stopped_clean: Whether that ended with a clean stop.
        same_boot: Whether the operating system has run on since.
    """

    same_directory: bool
    stopped_clean: bool
    same_boot: bool


@dataclass(frozen=True, slots=True)
class _Seat:
    partition: PartitionId
    topic: TopicImage
    state: PartitionState


async def unproven_seats(
    image: ClusterImage,
    broker_id: NodeId,
    proof: Proof,
    *,
    store: HotStore,
    defaults: Callable[[], Mapping[str, Value]],
) -> list[PartitionId]:
    """Open the logs of this broker's seats, and return the seats that it has to give up.

    A partition of one replica keeps its seat: nobody else has more, and its own rules say whether
    it can be opened (`hot/store.py`, `restart_point.py`).
    """
    seats = list(_seats(image, broker_id))
    lost: list[PartitionId] = []
    for first in range(0, len(seats), OPENING_AT_ONCE_MAX):
        some = seats[first : first + OPENING_AT_ONCE_MAX]
        kept = await asyncio.gather(*(_is_kept(each, proof, store, defaults()) for each in some))
        lost += [seat.partition for seat, is_kept in zip(some, kept, strict=True) if not is_kept]
    return lost


def _seats(image: ClusterImage, broker_id: NodeId) -> Iterator[_Seat]:
    for topic in image.topics.values():
        for number, state in enumerate(topic.partitions):
            if broker_id in {*state.isr, *state.elr} and _holders(state) > 1:
                yield _Seat(PartitionId(topic.topic_id, number), topic, state)


async def _is_kept(
    seat: _Seat, proof: Proof, store: HotStore, defaults: Mapping[str, Value]
) -> bool:
    has_log = await store.has(seat.partition)
    reached_mark = always_synced = False
    if has_log:
        try:
            config = hot_config(TopicConfig.resolve(seat.topic.config, defaults))
            always_synced = config.flush_always
            log = await store.open(seat.partition, config, term=seat.state.leader_epoch)
            store.check_promise(log)
            reached_mark = True
        except EverlogError as error:
            _log.warning("seat_not_proven", partition=seat.partition.text, reason=str(error))
            store.abandon(seat.partition)
    remains = Remains(
        same_directory=proof.same_directory,
        has_log=has_log,
        reached_mark=reached_mark,
        stopped_clean=proof.stopped_clean,
        same_boot=proof.same_boot,
        always_synced=always_synced,
    )
    return keeps_seat(remains, replicas=_holders(seat.state))


def _holders(state: PartitionState) -> int:
    """Return how many replicas may have all records: not those that are only on their way there."""
    return len({*state.original, *state.isr, *state.elr})
