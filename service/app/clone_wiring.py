"""Puts together what makes clones of tiers, and keeps what they need."""

from service.app.seams import Seams
from service.coordination.clone_pins import ClonePins
from service.partition.cloning import Cloning
from service.partition.tier_pointers import TierPointers
from service.tiering.manifest_store import ManifestStore


def make_cloning(
    pins: ClonePins,
    pointers: TierPointers,
    manifests: ManifestStore,
    *,
    seams: Seams,
    grace_ms: int,
) -> Cloning:
    """Make it; ``grace_ms`` is how long stays what is no longer part of the archive."""
    return Cloning(
        pins,
        pointers=pointers,
        manifests=manifests,
        clock=seams.clock,
        ids=seams.ids,
        grace_ms=grace_ms,
    )
