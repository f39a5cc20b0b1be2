import pytest

from service.model.config_definition import InvalidConfigError
from service.model.topic_settings import TOPIC_SETTINGS

THROTTLED = TOPIC_SETTINGS["leader.replication.throttled.replicas"]


@pytest.mark.parametrize("text", ["", "*", "0:1", "0:1,1:2, 2:3"])
def test_throttled_replicas_are_a_star_or_pairs(text: str) -> None:
    THROTTLED.parse(text)


@pytest.mark.parametrize("text", ["all", "0", "0:", ":1", "*,0:1", "0:1:2", "0:-1", "٣:1"])
def test_other_throttled_replicas_are_refused(text: str) -> None:
    with pytest.raises(InvalidConfigError, match=r"write \* or a list of partition:broker"):
        THROTTLED.parse(text)


@pytest.mark.parametrize("text", ["compact", "delete", "compact,delete", "delete, compact", ""])
def test_the_cleanup_policies_of_kafka_are_taken(text: str) -> None:
    TOPIC_SETTINGS["cleanup.policy"].parse(text)
