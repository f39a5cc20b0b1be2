"""A clone whose record is lost keeps its source's objects, also where it is not restored."""

import pytest

from everlog.model.ids import TopicId
from everlog.stores.object_key import object_key
from service.coordination.clone_pins import Cloned
from service.partition.left_out_clones import left_out_clones
from service.partition.restoration import Restoration, RestoreProgress, RestoreRequest
from tests.unit.partition.test_cloning import CLONE, SECOND, SOURCE, Yard, listed, path, yard

__all__ = ["yard"]

FIRST_PIN = Cloned(source=SOURCE, clone=CLONE, rank=0, partitions=1)


async def told(yard: Yard, *passing_over: TopicId) -> list[Cloned]:
    return await left_out_clones(yard.objects, cluster_id="c", passing_over=passing_over)


async def test_the_roots_of_topics_tell_what_they_need_of_which_others(yard: Yard) -> None:
    await yard.grown(SOURCE)
    assert await told(yard) == []
    await yard.clone()
    assert await told(yard) == [FIRST_PIN]
    await yard.order(SOURCE, SECOND, rank=1)
    await yard.clone(CLONE, SECOND, epoch=2001)
    assert await told(yard, CLONE) == [
        Cloned(source=CLONE, clone=SECOND, rank=0, partitions=1),
        Cloned(source=SOURCE, clone=SECOND, rank=1, partitions=1),
    ]
    assert await told(yard, CLONE, SECOND) == []
    assert await left_out_clones(yard.objects, cluster_id="other", passing_over=()) == []


async def test_a_root_that_is_damaged_gives_way_to_the_one_before(yard: Yard) -> None:
    await yard.grown(SOURCE)
    clone = await yard.clone()
    await yard.extend(clone, 1)
    assert clone.pointer.root is not None
    newest = object_key(clone.pointer.root.key(path(CLONE)).text)
    await yard.objects.overwrite(newest, b"damaged")
    assert await told(yard) == [FIRST_PIN]


@pytest.mark.rule("TIER-56")
@pytest.mark.parametrize("topics", [[SOURCE.hex()], []], ids=["left out", "not to be restored"])
async def test_a_clone_without_a_record_that_is_not_restored_keeps_what_it_needs(
    yard: Yard, topics: list[str]
) -> None:
    await yard.grown(SOURCE)
    clone = await yard.clone()
    (first, *_) = await listed(clone)
    await yard.objects.delete([object_key(first)])  # so that none of its roots is whole
    restoration = Restoration(
        yard.objects,
        cluster_id="c",
        request=RestoreRequest(topics=frozenset(topics)),
        clock=yard.clock,
        ids=yard.ids,
        progress=RestoreProgress(),
    )
    outcomes = await restoration.work_out()
    assert all(each.restored is None for each in outcomes)
    assert restoration.clones.pins == [FIRST_PIN]
