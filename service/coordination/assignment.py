"""Where the replicas of new partitions go."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from everlog.model.ids import NodeId

Racks = Mapping[NodeId, str | None]


def place_replicas(
    brokers: Racks,
    *,
    partitions: range,
    replication_factor: int,
    start: int,
    fallback: Racks | None = None,
) -> list[tuple[NodeId, ...]]:
    """Spread partitions over brokers, round robin; replicas of one partition over racks.

    The first replica of each, the preferred leader, goes round all brokers; the others follow at a
    distance that grows by one with each round, so that the load of a broker that dies is shared by
    all others.

    Args:
        brokers: Those that can take replicas now, with their racks.
        partitions: Numbers of the new partitions.
        replication_factor: Replicas of each; at most as many as there are brokers in both mappings.
        start: Any number; different ones begin with different brokers. A topic that grows must
            give the same.
        fallback: Brokers that are down, used only when ``brokers`` are too few.

    Returns:
        The replicas of each partition, in order of preference.
    """
    others = {broker: rack for broker, rack in (fallback or {}).items() if broker not in brokers}
    assert 0 < replication_factor <= len(brokers) + len(others), "the caller checks the factor"
    first, second = _by_turns(brokers), _by_turns(others)
    racks = {**brokers, **others}
    placed: list[tuple[NodeId, ...]] = []
    for partition in partitions:
        ring = _rotated(first, start, partition) + _rotated(second, start, partition)
        placed.append(_pick(ring, racks, replication_factor))
    return placed


def _by_turns(brokers: Racks) -> list[NodeId]:
    """Order brokers so that neighbours are in different racks, as far as possible."""
    by_rack: dict[str, list[NodeId]] = {}
    for broker in sorted(brokers):
        by_rack.setdefault(brokers[broker] or "", []).append(broker)
    rounds = zip_longest(*(by_rack[rack] for rack in sorted(by_rack)))
    return [broker for each in rounds for broker in each if broker is not None]


def _rotated(ring: Sequence[NodeId], start: int, partition: int) -> list[NodeId]:
    if not ring:
        return []
    leader, count = (start + partition) % len(ring), len(ring)
    rest = [ring[(leader + step) % count] for step in range(1, count)]
    if rest:
        shift = (start + partition // count) % len(rest)
        rest = rest[shift:] + rest[:shift]
    return [ring[leader], *rest]


def _pick(ring: Sequence[NodeId], racks: Racks, count: int) -> tuple[NodeId, ...]:
    """Take brokers in order, but from a rack that has one only when no other rack is left."""
    picked: list[NodeId] = []
    used: set[str | None] = set()
    left = list(ring)
    while len(picked) < count:
        unused = (broker for broker in left if racks[broker] is None or racks[broker] not in used)
        broker = next(unused, None)
        if broker is None:
            # Every rack has one: the next round begins.
            used.clear()
            continue
        picked.append(broker)
        left.remove(broker)
        used.add(racks[broker])
    return tuple(picked)
