"""What the tier has done, as plain numbers for the metrics page."""

from dataclasses import dataclass


@dataclass(slots=True)
class TierStats:
    """Counters of one broker; only ever raised.

    Attributes:
        objects: Segment objects that were committed.
        object_bytes: Of those.
        commits: Roots that became the committed one.
        upload_retries: Uploads and commits that had to be repeated.
        commit_conflicts: Commits that found a pointer moved, by their own lost answer or by others.
        fenced: Times that somebody else had claimed a tier.
        cache_hits: Reads whose range was at hand.
        cache_misses: Reads that had to send for it.
        seeks: Readers that came from somewhere else, and not from the place before.
        prefetched: Ranges that were sent for before anybody asked.
        prefetch_unread: Those of them that went before anybody came.
        fetch_waits: Ranges that were not sent for at once, but had to wait for others.
        hedges: Downloads that took so long that a second one was begun.
        hedges_won: Those of them that were the first to end.
        range_bytes: Bytes that were read from the store for readers.
        deleted_objects: Objects that were removed, for whatever reason.
        refused_deletions: Objects that the store has refused to delete, each time.
        orphan_objects: Those that were removed and had never become part of the archive.
        orphan_bytes: Of these.
        merges: Rewrites of small objects that became part of a tier.
        merged_objects: Small objects that they took the place of.
        merged_bytes: Batches of those.
        moves: Objects that were moved to another storage class.
        moved_bytes: Batches of those.
        log_restarts: Local logs that had lost their end and began again at the tier's.
    """

    objects: int = 0
    object_bytes: int = 0
    commits: int = 0
    upload_retries: int = 0
    commit_conflicts: int = 0
    fenced: int = 0
    cache_hits: int = 0
    cache_misses: int = 0
    seeks: int = 0
    prefetched: int = 0
    prefetch_unread: int = 0
    fetch_waits: int = 0
    hedges: int = 0
    hedges_won: int = 0
    range_bytes: int = 0
    deleted_objects: int = 0
    refused_deletions: int = 0
    log_restarts: int = 0
    orphan_objects: int = 0
    orphan_bytes: int = 0
    merges: int = 0
    merged_objects: int = 0
    merged_bytes: int = 0
    moves: int = 0
    moved_bytes: int = 0

    def count_hedge(self, won: bool) -> None:  # noqa: FBT001  (a callback's only argument)
        """Note that a second download was begun, and whether it was the first to end."""
        self.hedges += 1
        self.hedges_won += won
