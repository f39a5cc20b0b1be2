import pytest

from everlog.model.ids import NodeId
from service.broker.config_resource import (
    ConfigRequestError,
    ResourceType,
    altered_broker_of,
    check_named_once,
    named_broker,
    resource_type,
)


def test_topics_and_brokers_are_served() -> None:
    assert resource_type(2) is ResourceType.TOPIC
    assert resource_type(4) is ResourceType.BROKER


@pytest.mark.parametrize("number", [0, 1, 3, 8, 16, 32, -1])
def test_other_resources_are_refused_and_those_that_are_served_named(number: int) -> None:
    with pytest.raises(ConfigRequestError, match=r"ask for 2 \(topic\), 4 \(broker\)"):
        resource_type(number)


def test_a_broker_answers_for_itself_and_for_all() -> None:
    assert named_broker("7", NodeId(7)) == 7
    assert named_broker("", NodeId(7)) is None


@pytest.mark.parametrize("name", ["8", "07", " 7", "seven", "-7"])
def test_a_broker_does_not_answer_for_another(name: str) -> None:
    with pytest.raises(ConfigRequestError, match="this is broker 7"):
        named_broker(name, NodeId(7))


def test_settings_of_any_broker_of_the_cluster_can_be_altered() -> None:
    others = [NodeId(7), NodeId(8)]
    assert altered_broker_of("8", NodeId(7), others) == 8
    assert altered_broker_of("7", NodeId(7), ()) == 7
    assert altered_broker_of("", NodeId(7), others) is None
    for name in ("9", "08", "seven"):
        with pytest.raises(ConfigRequestError, match="this is broker 7"):
            altered_broker_of(name, NodeId(7), others)


def test_a_setting_may_be_named_once() -> None:
    check_named_once(["a", "b"])
    with pytest.raises(ConfigRequestError, match="named more than once: b"):
        check_named_once(["b", "a", "b"])
