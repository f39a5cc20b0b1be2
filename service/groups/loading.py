"""Reading a partition of the offsets topic back into memory.

The last record of a key is the one that counts, as in compaction. So the raw bytes are folded
first, without looking into them, and only what remains is parsed.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from everlog.model.errors import CorruptionError
from everlog.model.offsets import LeaderEpoch
from service.groups.group import Group
from service.groups.group_record import KEY_VERSION as GROUP_KEY_VERSION
from service.groups.group_record import decode_group_key, decode_group_value
from service.groups.hosted import HostedGroup
from service.groups.moment import Moment
from service.groups.offset_record import KEY_VERSIONS as OFFSET_KEY_VERSIONS
from service.groups.offset_record import decode_offset_key, decode_offset_value
from service.groups.ports import OffsetsLog
from service.groups.snapshot import restore

_KEYS_PER_TURN = 1_000
"""How many keys are parsed before other work gets its turn; a few milliseconds."""

_VERSION_BYTES = 2

Latest = dict[bytes, bytes | None]


async def load(
    log: OffsetsLog, partition: int, leader_epoch: LeaderEpoch, now: Callable[[], Moment]
) -> dict[str, HostedGroup]:
    """Return the groups of a partition. Records of kinds that are not known here are left alone.

    Raises:
        CorruptionError: A record is not what a coordinator writes.
        EverlogError: As `OffsetsLog.replay`.
    """
    latest: Latest = {}
    async for records in log.replay(partition, leader_epoch=leader_epoch):
        latest.update(records)
        await asyncio.sleep(0)
    kinds = _by_kind(latest)
    groups: dict[str, HostedGroup] = {}
    for version in OFFSET_KEY_VERSIONS:
        for keys in _turns(kinds[version]):
            for key in keys:
                _load_offset(key, latest[key], groups)
            await asyncio.sleep(0)
    for keys in _turns(kinds[GROUP_KEY_VERSION]):
        for key in keys:
            _load_group(key, latest[key], groups, now())
        await asyncio.sleep(0)
    return groups


def _by_kind(latest: Latest) -> dict[bytes, list[bytes]]:
    kinds: dict[bytes, list[bytes]] = defaultdict(list)
    for key in latest:
        kinds[key[:_VERSION_BYTES]].append(key)
    if any(len(kind) < _VERSION_BYTES for kind in kinds):
        raise CorruptionError("a key is too short to say what it is")
    return kinds


def _turns(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for turn in range(0, len(keys), _KEYS_PER_TURN):
        yield keys[turn : turn + _KEYS_PER_TURN]


def _load_offset(key: bytes, value: bytes | None, groups: dict[str, HostedGroup]) -> None:
    place = decode_offset_key(key)
    if value is None:
        return
    hosted = groups.get(place.group_id)
    if hosted is None:
        # A group that only ever kept offsets has no record of its own.
        hosted = groups[place.group_id] = HostedGroup(Group(place.group_id, state_changed_ms=None))
    hosted.offsets.put((place.topic, place.partition), decode_offset_value(value))


def _load_group(
    key: bytes, value: bytes | None, groups: dict[str, HostedGroup], now: Moment
) -> None:
    group_id = decode_group_key(key)
    if value is None:
        return
    hosted = HostedGroup(restore(group_id, decode_group_value(value), now))
    known = groups.get(group_id)
    if known is not None:
        hosted.offsets = known.offsets
    groups[group_id] = hosted
