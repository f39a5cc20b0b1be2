"""Offsets and whole groups on their way into the log, and out of it again.

Memory follows the log: what is written here is visible once it is durable, in the order of the log.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from everlog.model.errors import EverlogError
from everlog.model.ids import TopicName
from service.groups import commit_rules, expiry
from service.groups.calls import CommitCall, OffsetCommit
from service.groups.errors import GroupNotFoundError
from service.groups.group_record import encode_group_key
from service.groups.hosted import HostedGroup
from service.groups.offset_record import (
    CommittedOffset,
    encode_offset_key,
    encode_offset_value,
)
from service.groups.offsets import Place
from service.groups.ports import OffsetsRecord
from service.groups.shard import Shard
from service.groups.state import GroupState

Done = Callable[[EverlogError | None], None]

Refusals = Mapping[Place, EverlogError]
"""What could not be done, by place."""

_OFFSETS_PER_TURN = 5_000
"""How many offsets are looked at before other work gets its turn; a few milliseconds."""


def commit(shard: Shard, group_id: str, call: CommitCall) -> "asyncio.Future[Any]":
    """Write offsets; the future brings the refusals once the others are durable.

    Raises:
        GroupNotFoundError: The caller takes part in a group that does not exist.
        EverlogError: As `commit_rules.admit_commit`.
    """
    if call.generation is not None and group_id not in shard.groups:
        raise GroupNotFoundError(group_id)
    now = shard.now()
    hosted = shard.host(group_id)
    commit_rules.admit_commit(hosted.group, call.claim, call.generation, now)
    shard.arm(hosted)
    expires_ms = None if call.retention_ms is None else now.wall_ms + call.retention_ms
    accepted: list[tuple[Place, CommittedOffset]] = []
    refused: dict[Place, EverlogError] = {}
    for wanted in call.offsets:
        place = (wanted.topic, wanted.partition)
        committed = _committed(wanted, now.wall_ms, expires_ms)
        error = commit_rules.refuse_offset(committed, shard.limits)
        if error is None:
            accepted.append((place, committed))
        else:
            refused[place] = error
    ticket, answer = shard.open_ticket()
    _write(
        shard,
        hosted,
        accepted,
        lambda failed: shard.answer(ticket, refused if failed is None else failed),
    )
    return answer


def delete_offsets(shard: Shard, group_id: str, places: Sequence[Place]) -> "asyncio.Future[Any]":
    """Remove offsets; the future brings the refusals once the others are gone for good.

    Raises:
        GroupNotFoundError: There is no such group.
        GroupNotEmptyError: What its members read cannot be told.
    """
    hosted = shard.groups.get(group_id)
    if hosted is None:
        raise GroupNotFoundError(group_id)
    commit_rules.admit_offset_delete(hosted.group)
    refused: dict[Place, EverlogError] = {}
    for place in places:
        error = commit_rules.refuse_topic_delete(hosted.group, place[0])
        if error is not None:
            refused[place] = error
    known = set(hosted.offsets.places())
    removed = [place for place in places if place in known and place not in refused]
    ticket, answer = shard.open_ticket()
    _remove(shard, {hosted: removed}, (), lambda error: shard.answer(ticket, error or refused))
    return answer


def delete_group(shard: Shard, group_id: str) -> "asyncio.Future[Any]":
    """Remove a group and all its offsets; the future is done once they are gone for good.

    Raises:
        GroupNotFoundError: There is no such group.
        GroupNotEmptyError: It has members.
    """
    hosted = shard.groups.get(group_id)
    if hosted is None:
        raise GroupNotFoundError(group_id)
    commit_rules.admit_group_delete(hosted.group)
    ticket, answer = shard.open_ticket()
    removed = {hosted: hosted.offsets.places()}
    _remove(shard, removed, (hosted,), lambda error: shard.answer(ticket, error))
    return answer


def forget_topics(shard: Shard, topics: Iterable[TopicName]) -> None:
    """Remove the offsets in topics that have been deleted."""
    gone = frozenset(topics)
    removed = {
        hosted: [place for place in hosted.offsets.places() if place[0] in gone]
        for hosted in shard.groups.values()
    }
    _remove(shard, {hosted: places for hosted, places in removed.items() if places}, ())


async def expire(shard: Shard) -> None:
    """Remove the offsets that nobody needs any more, and the groups that are left with nothing."""
    seen = 0
    removed: dict[HostedGroup, list[Place]] = {}
    ended: list[HostedGroup] = []
    for hosted in list(shard.groups.values()):
        if not shard.is_active:
            return
        if not shard.owns(hosted):
            continue
        places = expiry.expired_places(
            hosted.group, hosted.offsets, wall_ms=shard.now().wall_ms, limits=shard.limits
        )
        if places:
            removed[hosted] = places
        if _is_left_with_nothing(hosted, places):
            ended.append(hosted)
        seen += 1 + hosted.offsets.count
        if seen >= _OFFSETS_PER_TURN:
            _remove(shard, removed, ended)
            seen, removed, ended = 0, {}, []
            await asyncio.sleep(0)
    _remove(shard, removed, ended)


def _committed(wanted: OffsetCommit, wall_ms: int, expires_ms: int | None) -> CommittedOffset:
    return CommittedOffset(
        offset=wanted.offset,
        leader_epoch=wanted.leader_epoch,
        metadata=wanted.metadata,
        committed_ms=wall_ms,
        expires_ms=expires_ms,
        topic_id=wanted.topic_id,
    )


def _write(
    shard: Shard, hosted: HostedGroup, accepted: Sequence[tuple[Place, CommittedOffset]], done: Done
) -> None:
    offsets = hosted.offsets
    group_id = hosted.group.group_id

    def written(error: EverlogError | None) -> None:
        for place, committed in accepted:
            offsets.ended(place)
            if error is None:
                offsets.put(place, committed)
        shard.drop_blank(hosted)
        done(error)

    records: list[OffsetsRecord] = []
    for place, committed in accepted:
        offsets.started(place)
        records.append((encode_offset_key(group_id, *place), encode_offset_value(committed)))
    if records:
        shard.append(records, written)
    else:
        written(None)


def _ignore(_error: EverlogError | None) -> None:
    """Nobody waits; what could not be removed is found again the next time."""


def _remove(
    shard: Shard,
    removed: Mapping[HostedGroup, Sequence[Place]],
    ended: Sequence[HostedGroup],
    done: Done = _ignore,
) -> None:
    """Write tombstones; when they are durable, forget these places and the groups that end."""
    records: list[OffsetsRecord] = []
    for hosted, places in removed.items():
        group_id = hosted.group.group_id
        records += ((encode_offset_key(group_id, *place), None) for place in places)
    for hosted in ended:
        hosted.group.begin_delete()
        if hosted.group.is_stored:
            records.append((encode_group_key(hosted.group.group_id), None))

    def written(error: EverlogError | None) -> None:
        if error is None:
            _forget(shard, removed, ended)
        else:
            for hosted in ended:
                hosted.group.cancel_delete()
        done(error)

    if records:
        shard.append(records, written)
    else:
        written(None)


def _forget(
    shard: Shard, removed: Mapping[HostedGroup, Sequence[Place]], ended: Sequence[HostedGroup]
) -> None:
    for hosted in ended:
        del shard.groups[hosted.group.group_id]
    for hosted, places in removed.items():
        for place in places:
            hosted.offsets.remove(place)
        shard.drop_blank(hosted)


def _is_left_with_nothing(hosted: HostedGroup, expired: Sequence[Place]) -> bool:
    group, offsets = hosted.group, hosted.offsets
    is_idle = group.state is GroupState.EMPTY and not group.members.pending
    return is_idle and not offsets.in_flight and len(expired) == offsets.count
