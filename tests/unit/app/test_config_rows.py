from service.app.config import ConfigSources, load_config
from service.app.config_rows import ConfigRow, broker_rows, topic_rows
from service.model.broker_settings import BROKER_SETTINGS
from service.model.topic_settings import TOPIC_SETTINGS


def row(rows: list[ConfigRow], name: str) -> ConfigRow:
    [found] = [each for each in rows if each.name == name]
    return found


def test_there_is_a_row_for_each_setting_in_the_order_of_names() -> None:
    broker = [each.name for each in broker_rows(load_config(ConfigSources()))]
    topic = [each.name for each in topic_rows()]
    assert broker == sorted(BROKER_SETTINGS)
    assert topic == sorted(TOPIC_SETTINGS)


def test_a_row_says_what_holds_and_who_said_so() -> None:
    config = load_config(ConfigSources(environment={"EVERLOG_NUM_PARTITIONS": "4"}))
    found = row(broker_rows(config), "num.partitions")
    assert found == ConfigRow(
        name="num.partitions",
        type="int",
        default="1",
        value="4",
        source="environment",
        where="EVERLOG_NUM_PARTITIONS",
        allowed="a whole number from 1 to 2147483647",
        importance="high",
        dynamic=False,
        meaning="Partitions of a topic that is created without a number of them.",
    )


def test_a_row_of_a_default_names_no_place() -> None:
    found = row(broker_rows(load_config(ConfigSources())), "log.retention.hours")
    assert (found.value, found.source, found.where) == (None, "default", None)
    assert found.dynamic


def test_a_row_says_where_a_setting_changes_nothing() -> None:
    assert "without effect" in row(topic_rows(), "compression.type").meaning
