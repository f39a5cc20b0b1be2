"""A request for a clone: what the topic has of its source, and what keeps the objects."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from everlog.model.errors import RejectedError
from everlog.model.ids import NodeId, TopicId, TopicName
from everlog.model.offsets import LeaderEpoch
from service.coordination.changes import Edit
from service.coordination.metadata_store import Check
from service.coordination.topic_cloning import (
    CLONE_EPOCH_STEP,
    CLONE_FROM,
    CloneOrder,
    ancestors_of,
    clone_order,
    clonings_of,
)
from service.coordination.topic_errors import InvalidPartitionsError
from service.coordination.topic_plan import NewTopic
from service.model.cluster import EMPTY_IMAGE, PartitionState, TopicImage
from service.model.config_definition import InvalidConfigError
from service.model.topic_config import TopicConfig

ONE = NodeId(1)
SOURCE, CLONE, TWIG = (TopicId(bytes([number]) * 16) for number in (1, 2, 3))
TIERED = {"remote.storage.enable": "true"}


def states(*epochs: int) -> tuple[PartitionState, ...]:
    return tuple(
        PartitionState(
            replicas=(ONE,),
            leader=ONE,
            leader_epoch=LeaderEpoch(epoch),
            leader_broker_epoch=7,
            isr=(ONE,),
            controller_epoch=1,
            version=0,
        )
        for epoch in epochs
    )


def topic(name: str, topic_id: TopicId = SOURCE, config: Mapping[str, str] = TIERED) -> TopicImage:
    return TopicImage(
        name=TopicName(name), topic_id=topic_id, config=config, partitions=states(4, 9), version=3
    )


def order(source: TopicImage, *, partitions: int | None = None, **config: str) -> CloneOrder | None:
    image = replace(EMPTY_IMAGE, topics={source.name: source})
    settings = {CLONE_FROM: source.name, **{k.replace("_", "."): v for k, v in config.items()}}
    new = NewTopic(name=TopicName("new"), partitions=partitions, config=settings)
    return clone_order(new, image, TopicConfig.resolve)


def cloned(source: TopicImage, topic_id: TopicId) -> TopicImage:
    found = order(source)
    assert found is not None
    made = replace(source, name=TopicName("new"), topic_id=topic_id, partitions=states(0, 0))
    return found.clone(made)


def test_a_topic_that_asks_for_no_source_is_no_clone() -> None:
    new = NewTopic(name=TopicName("new"), config=TIERED)
    assert clone_order(new, EMPTY_IMAGE, TopicConfig.resolve) is None


def test_a_clone_has_its_source_s_partitions_and_what_is_not_given_of_its_settings() -> None:
    source = topic(
        "t", config={**TIERED, "retention.ms": "5", "max.message.bytes": "9", "odd": "1"}
    )
    found = order(source, retention_ms="7")
    assert found is not None
    assert found.new.partitions == 2
    assert found.new.config == {**TIERED, "retention.ms": "7", "max.message.bytes": "9"}


def test_the_epochs_of_a_clone_begin_above_those_of_its_source() -> None:
    clone = cloned(topic("t"), CLONE)
    assert [each.leader_epoch for each in clone.partitions] == [
        4 + CLONE_EPOCH_STEP,
        9 + CLONE_EPOCH_STEP,
    ]


def test_a_clone_of_a_clone_is_kept_by_both_before_it() -> None:
    clone = replace(cloned(topic("t"), CLONE), name=TopicName("c"))
    twig = cloned(clone, TWIG)
    assert [(each.topic_id, each.name) for each in ancestors_of(twig.extra)] == [
        (CLONE, "c"),
        (SOURCE, "t"),
    ]
    pins = clonings_of(TWIG, twig.extra)
    assert [(each.source, each.rank, each.partitions) for each in pins] == [
        (CLONE, 0, 2),
        (SOURCE, 1, 2),
    ]


def test_the_transaction_that_makes_a_clone_sees_that_its_source_exists() -> None:
    source = topic("t")
    found = order(source)
    assert found is not None
    clone = found.clone(replace(source, topic_id=CLONE, partitions=states(0, 0)))
    ops = found.pinned(clone, Edit((), ())).ops
    assert ops == (Check("/topics/t", 3), clonings_of(CLONE, clone.extra)[0].creation)


@pytest.mark.parametrize(
    ("config", "given", "reason"),
    [
        ({}, {"remote_storage_enable": "false"}, "it is not tiered|the clone is not tiered"),
        ({"remote.storage.enable": "false"}, {}, "it is not tiered"),
        ({**TIERED, "cleanup.policy": "compact"}, {}, "it is compacted"),
        (TIERED, {"cleanup_policy": "compact"}, "the clone is compacted"),
        (TIERED, {"remote_storage_enable": "false"}, "the clone is not tiered"),
    ],
)
def test_what_is_not_archived_cannot_be_cloned(
    config: dict[str, str], given: dict[str, str], reason: str
) -> None:
    with pytest.raises(InvalidConfigError, match=reason):
        order(topic("t", config=config), **given)


def test_a_source_that_does_not_exist_is_told() -> None:
    new = NewTopic(name=TopicName("new"), config={CLONE_FROM: "t"})
    with pytest.raises(RejectedError, match="no such topic"):
        clone_order(new, EMPTY_IMAGE, TopicConfig.resolve)


def test_a_clone_has_as_many_partitions_as_its_source() -> None:
    assert order(topic("t"), partitions=2) is not None
    with pytest.raises(InvalidPartitionsError, match="2 partitions, not 3"):
        order(topic("t"), partitions=3)
