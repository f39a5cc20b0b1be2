"""Roots made for a restore are roots like any others, above all that there were."""

import pytest

from everlog.format.entries import entry_of
from everlog.format.manifest import Draft, append, first_root
from everlog.format.page import decode_page
from everlog.format.page_refs import INDEX_PAGE, PageId, ref_of
from everlog.format.recovery import RootPlan, rebuilt_root, renewed_root
from everlog.format.root import INLINE_FORMAT, PAGED_FORMAT
from everlog.format.root_codec import decode_root, encode_root
from everlog.format.span_table import SpanTable
from everlog.model.offsets import LeaderEpoch, Offset
from tests.unit.format.samples import GRACE_MS, NOW_MS, PATH, entries, stamp, uid, uids

ABOVE = stamp(99, epoch=1003, claim=6)


def plan() -> RootPlan:
    return RootPlan(
        path=PATH, stamp=ABOVE, uids=uids(), created_ms=NOW_MS, not_before_ms=NOW_MS + GRACE_MS
    )


def offsets_in(folded: Draft) -> list[tuple[int, int]]:
    """Read a root and its pages as they are stored."""
    bodies: dict[PageId, bytes] = {page.ref.page: page.body for page in folded.pages}
    encoded = encode_root(folded.root)
    root = decode_root(encoded.body, key=encoded.ref.key(PATH), digest=encoded.ref.sha256)
    found: list[tuple[int, int]] = []

    def walk(rows: SpanTable) -> None:
        for row in range(len(rows)):
            page = ref_of(rows, row).page
            below = decode_page(bodies[page], page, path=PATH).rows
            if page.level == INDEX_PAGE:
                walk(below)
            else:
                take(below)

    def take(rows: SpanTable) -> None:
        for row in range(len(rows)):
            offsets = entry_of(rows, row).offsets
            found.append((offsets.start, offsets.end))

    walk(root.refs)
    take(root.entries)
    return found


@pytest.mark.rule("TIER-25")
@pytest.mark.parametrize("count", [1, 512, 513, 1024, 5000])
def test_a_root_of_any_number_of_objects_leads_to_all_of_them(count: int) -> None:
    made = entries(1, [10] * count, base=70)
    folded = rebuilt_root(made, end_epoch=LeaderEpoch(4), plan=plan())
    root = folded.root
    assert root.format == (INLINE_FORMAT if count <= 512 else PAGED_FORMAT)
    assert (root.stamp, root.previous) == (ABOVE, None)
    assert (root.tiered_start, root.tiered_end, root.tiered_end_epoch) == (70, 70 + 10 * count, 4)
    assert root.totals.entries == count
    assert offsets_in(folded) == [(each.offsets.start, each.offsets.end) for each in made]


def test_a_renewed_root_says_the_same_and_retires_the_one_that_it_was() -> None:
    first = first_root(PATH, uid=uid(1), stamp=stamp(5), start=Offset(0), created_ms=NOW_MS)
    root = append(first, entries(1, [10, 10]), end_epoch=LeaderEpoch(3))
    ref = encode_root(root).ref
    renewed = renewed_root(root, ref, plan=plan())
    assert renewed.stamp == ABOVE
    assert renewed.previous == ref
    assert (renewed.entries, renewed.totals) == (root.entries, root.totals)
    (item,) = renewed.trash.items()
    assert item.thing.uid == root.uid  # type: ignore[union-attr]
    assert item.not_before_ms == NOW_MS + GRACE_MS
