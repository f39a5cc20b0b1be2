from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.broker.config_alteration import (
    Change,
    Increments,
    Operation,
    Replacement,
    altered_broker,
    altered_topic,
)
from service.broker.config_resource import ConfigRequestError
from service.model.config_definition import InvalidConfigError
from service.model.config_layers import ConfigLayers

LAYERS = ConfigLayers()


def increments(*changes: tuple[Operation, str, str | None]) -> Increments:
    return Increments(
        tuple(Change(name=name, operation=what, text=text) for what, name, text in changes)
    )


def topic_after(current: Mapping[str, str], *changes: tuple[Operation, str, str | None]) -> object:
    return altered_topic(current, increments(*changes), LAYERS)


@pytest.mark.parametrize(
    ("current", "operation", "name", "text", "after"),
    [
        ({}, Operation.SET, "segment.ms", "5", {"segment.ms": "5"}),
        ({"segment.ms": "4"}, Operation.SET, "segment.ms", "5", {"segment.ms": "5"}),
        ({"segment.ms": "4"}, Operation.DELETE, "segment.ms", None, {}),
        ({}, Operation.DELETE, "segment.ms", None, {}),
        (
            {},
            Operation.APPEND,
            "cleanup.policy",
            "compact",
            {"cleanup.policy": "delete,compact"},
        ),
        (
            {"cleanup.policy": "compact"},
            Operation.APPEND,
            "cleanup.policy",
            "compact, delete",
            {"cleanup.policy": "compact,delete"},
        ),
        ({}, Operation.SUBTRACT, "cleanup.policy", "delete", {"cleanup.policy": ""}),
        (
            {"cleanup.policy": "compact,delete"},
            Operation.SUBTRACT,
            "cleanup.policy",
            "delete",
            {"cleanup.policy": "compact"},
        ),
        (
            {},
            Operation.APPEND,
            "leader.replication.throttled.replicas",
            "0:1",
            {"leader.replication.throttled.replicas": "0:1"},
        ),
    ],
)
def test_each_operation_changes_one_setting(
    current: Mapping[str, str],
    operation: Operation,
    name: str,
    text: str | None,
    after: Mapping[str, str],
) -> None:
    kept = {"segment.bytes": "2048"}
    assert topic_after({**current, **kept}, (operation, name, text)) == {**after, **kept}


def test_appending_starts_from_what_the_broker_says() -> None:
    layers = ConfigLayers(static={"log.cleanup.policy": "compact"})
    plan = increments((Operation.APPEND, "cleanup.policy", "delete"))
    assert altered_topic({}, plan, layers) == {"cleanup.policy": "compact,delete"}


@pytest.mark.parametrize(
    ("operation", "name", "text", "advice"),
    [
        (Operation.SET, "retentoin.ms", "5", "did you mean retention.ms?"),
        (Operation.DELETE, "retentoin.ms", None, "did you mean retention.ms?"),
        (Operation.APPEND, "retentoin.ms", "5", "did you mean retention.ms?"),
        (Operation.SET, "retention.ms", "soon", "write a whole number from -1"),
        (Operation.APPEND, "retention.ms", "5", "it is no list"),
        (Operation.SUBTRACT, "compression.type", "gzip", "it is no list"),
        (Operation.APPEND, "cleanup.policy", "archive", "each one of compact, delete"),
        (Operation.APPEND, "leader.replication.throttled.replicas", "x", r"write \* or a list"),
    ],
)
def test_a_topic_is_refused_what_it_cannot_have(
    operation: Operation, name: str, text: str | None, advice: str
) -> None:
    with pytest.raises(InvalidConfigError, match=advice):
        topic_after({}, (operation, name, text))


def test_changes_are_judged_by_what_they_come_to_together() -> None:
    current = {"retention.ms": "5000", "local.retention.ms": "4000"}
    shorter = (Operation.SET, "retention.ms", "1000")
    with pytest.raises(InvalidConfigError, match=r"retention\.ms is 1000; write at most that"):
        topic_after(current, shorter)
    both = topic_after(current, shorter, (Operation.DELETE, "local.retention.ms", None))
    assert both == {"retention.ms": "1000"}


def test_a_setting_of_another_version_stays_until_it_is_deleted() -> None:
    current = {"shiny.new.thing": "1"}
    more = topic_after(current, (Operation.SET, "segment.ms", "5"))
    assert more == {"shiny.new.thing": "1", "segment.ms": "5"}
    assert topic_after(current, (Operation.DELETE, "shiny.new.thing", None)) == {}


def test_a_replacement_leaves_nothing_else() -> None:
    plan = Replacement({"segment.ms": "5"})
    assert altered_topic({"segment.bytes": "2048"}, plan, LAYERS) == {"segment.ms": "5"}


def test_a_replacement_is_judged_like_any_change() -> None:
    with pytest.raises(InvalidConfigError, match=r"did you mean segment\.ms\?"):
        altered_topic({}, Replacement({"segmnt.ms": "5"}), LAYERS)


def broker_after(
    current: Mapping[str, str],
    *changes: tuple[Operation, str, str | None],
    layers: ConfigLayers = LAYERS,
) -> object:
    return altered_broker(current, increments(*changes), layers, whole_cluster=True)


def test_the_defaults_of_topics_can_be_changed_at_run_time() -> None:
    changed = broker_after(
        {"log.segment.bytes": "2048"},
        (Operation.SET, "log.retention.hours", "168"),
        (Operation.DELETE, "log.segment.bytes", None),
        (Operation.APPEND, "log.cleanup.policy", "compact"),
    )
    assert changed == {"log.retention.hours": "168", "log.cleanup.policy": "delete,compact"}


@pytest.mark.parametrize("name", ["num.partitions", "listeners", "data.dir", "log.dirs"])
@pytest.mark.parametrize("operation", [Operation.SET, Operation.DELETE])
def test_what_a_broker_reads_when_it_starts_cannot_be_changed_later(
    name: str, operation: Operation
) -> None:
    with pytest.raises(ConfigRequestError, match=f"{name}: read when a broker starts; change"):
        broker_after({}, (operation, name, "1"))


@pytest.mark.parametrize(
    ("name", "text", "advice"),
    [
        ("log.retention.hour", "1", "did you mean log.retention.hours?"),
        ("log.retention.hours", "long", "write a whole number"),
        ("log.local.retention.ms", "9999999999", "retention.ms is 3600000"),
    ],
)
def test_a_broker_is_refused_what_it_cannot_have(name: str, text: str, advice: str) -> None:
    layers = ConfigLayers(static={"log.retention.hours": "1"})
    with pytest.raises(InvalidConfigError, match=advice):
        broker_after({}, (Operation.SET, name, text), layers=layers)


def test_the_level_that_changes_is_the_one_that_is_judged() -> None:
    layers = ConfigLayers(
        static={"log.local.retention.ms": "9000"}, cluster={"log.retention.ms": "10000"}
    )
    plan = increments((Operation.SET, "log.retention.ms", "5000"))
    with pytest.raises(InvalidConfigError, match=r"log\.local\.retention\.ms=9000"):
        altered_broker({}, plan, layers, whole_cluster=False)


NAMES = st.sampled_from(["segment.ms", "segment.bytes", "cleanup.policy", "retentoin.ms"])
CHANGES = st.lists(
    st.tuples(st.sampled_from(Operation), NAMES, st.sampled_from(["5000", "compact", "x"])),
    unique_by=lambda change: change[1],
)


@given(CHANGES)
def test_a_change_that_was_taken_can_be_repeated(
    changes: list[tuple[Operation, str, str | None]],
) -> None:
    # A write whose outcome is unknown is made again.
    try:
        once = topic_after({"segment.ms": "1"}, *changes)
    except InvalidConfigError:
        return
    assert isinstance(once, dict)
    deletions = [name for what, name, _ in changes if what is Operation.DELETE]
    assert not any(name in once for name in deletions)
    assert topic_after(once, *changes) == once
