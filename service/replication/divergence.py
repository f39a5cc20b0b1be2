"""Where a follower's log parts from its leader's (KIP-101, KIP-279, KIP-595)."""

from collections.abc import Callable

from everlog.model.offsets import Offset

EndOfEpoch = Callable[[int], tuple[int, int] | None]
"""Gives the greatest term up to the asked-for one, and where it ended; None if all are newer."""

NO_EPOCH = -1
"""Of a leader whose terms are all newer than a follower's: their logs agree in nothing."""


def diverging(
    last_epoch: int, offset: int, *, end_of: EndOfEpoch, log_start: int
) -> tuple[int, int] | None:
    """Return where a follower's log parts from its leader's; None while it does not (KIP-595).

    Args:
        last_epoch: Of the last batch that the follower has.
        offset: Where its log ends.
        end_of: Of the leader's log.
        log_start: Where that log starts.
    """
    known = end_of(last_epoch)
    if known is None:
        return NO_EPOCH, log_start
    epoch, end = known
    return None if epoch == last_epoch and end >= offset else (epoch, end)


def truncation_point(
    leader_epoch: int, leader_end: int, *, end_of: EndOfEpoch, log_start: Offset, log_end: Offset
) -> Offset:
    """Return where a follower cuts its log before it asks again.

    A leader names the greatest term that it has up to the follower's last one. When the follower
    does not have that term, it cuts down to the end of the one before, and the next answer is about
    that one (KAFKA-6361). It never goes by its high watermark (KIP-101).

    Args:
        leader_epoch: The term that the leader named.
        leader_end: Where that term ends in the leader's log.
        end_of: Of the follower's own log.
        log_start: Where the follower's own log starts on its disk.
        log_end: Where it ends.
    """
    known = end_of(leader_epoch)
    if known is None:
        return log_start
    epoch, end = known
    if epoch == leader_epoch:
        end = min(end, leader_end)
    return Offset(max(log_start, min(end, log_end)))
