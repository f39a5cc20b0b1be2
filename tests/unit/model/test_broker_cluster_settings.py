import pytest

from service.model.broker_settings import BROKER_SETTINGS
from service.model.config_definition import InvalidConfigError

ZOOKEEPER = BROKER_SETTINGS["zookeeper.connect"]


@pytest.mark.parametrize(
    "text", ["zk:2181", "zk", "zk-1:2181,zk-2:2181, zk-3:2181/everlog", "[::1]:2181/a/b"]
)
def test_servers_of_zookeeper_are_written_as_for_kafka(text: str) -> None:
    assert ZOOKEEPER.parse(text) == text


@pytest.mark.parametrize("text", ["", "zk:port", "zk:2181,", "http://zk:2181", "zk 1:2181", "/a"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidConfigError, match="write host:port"):
        ZOOKEEPER.parse(text)
