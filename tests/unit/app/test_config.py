from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.app.config import (
    ConfigSources,
    environment_name,
    load_config,
)
from service.model.broker_config import ConfigProblem, InvalidBrokerConfigError, Origin
from service.model.broker_settings import BROKER_SETTINGS, all_names


@pytest.fixture
def broker_toml(tmp_path: Path) -> Path:
    return tmp_path / "broker.toml"


def config_problems(sources: ConfigSources) -> tuple[ConfigProblem, ...]:
    try:
        load_config(sources)
    except InvalidBrokerConfigError as error:
        return error.problems
    return ()


def problems_of(sources: ConfigSources) -> list[str]:
    return [problem.text for problem in config_problems(sources)]


def problems_of_file(path: Path, text: str) -> list[str]:
    path.write_text(text, encoding="utf-8")
    return [problem.removeprefix(f"{path}: ") for problem in problems_of(ConfigSources(file=path))]


def test_nothing_said_is_a_configuration() -> None:
    config = load_config(ConfigSources())
    assert config.given == {}
    assert config_problems(ConfigSources()) == ()


@pytest.mark.parametrize(
    "text",
    [
        '"log.segment.bytes" = 1048576\n"num.partitions" = 3',
        "log.segment.bytes = 1048576\nnum.partitions = 3",
        "[log.segment]\nbytes = 1048576\n[num]\npartitions = 3",
        '[log]\nsegment = { bytes = "1048576" }\n[num]\n"partitions" = "3"',
    ],
)
def test_names_in_a_file_are_quoted_dotted_or_tables(broker_toml: Path, text: str) -> None:
    broker_toml.write_text(text)
    config = load_config(ConfigSources(file=broker_toml))
    assert config.num_partitions == 3
    assert config.layers({}).topic_defaults()["segment.bytes"] == 1_048_576


def test_values_in_a_file_have_the_types_of_toml(broker_toml: Path) -> None:
    broker_toml.write_text(
        """
        listeners = ["PLAINTEXT://127.0.0.1:1", "INTERNAL://127.0.0.1:2"]
        listener.security.protocol.map = "PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT"
        watchdog.enable = false
        log.cleaner.min.cleanable.ratio = 0.25
        broker.id = 4
        """
    )
    config = load_config(ConfigSources(file=broker_toml))
    assert [each.port for each in config.listeners] == [1, 2]
    assert config.watchdog_enable is False
    assert config.broker_id == 4
    assert config.layers({}).topic_defaults()["min.cleanable.dirty.ratio"] == 0.25


def test_the_command_gives_way_to_the_file_that_to_the_environment_and_that_to_flags(
    broker_toml: Path,
) -> None:
    broker_toml.write_text("num.partitions = 2\nflush.threads = 2\nread.threads = 2")
    config = load_config(
        ConfigSources(
            command={"num.partitions": "1", "files.open.max": "101"},
            file=broker_toml,
            environment={"EVERLOG_FLUSH_THREADS": "3", "EVERLOG_READ_THREADS": "3", "PATH": "/bin"},
            flags=["read.threads=9", "read.threads=4"],
        )
    )
    found = (config.files_open_max, config.num_partitions, config.flush_threads)
    assert (*found, config.read_threads) == (101, 2, 3, 4)
    sources = {name: (each.origin, each.where) for name, each in config.given.items()}
    assert sources == {
        "files.open.max": (Origin.COMMAND, "the command"),
        "num.partitions": (Origin.FILE, str(broker_toml)),
        "flush.threads": (Origin.ENVIRONMENT, "EVERLOG_FLUSH_THREADS"),
        "read.threads": (Origin.FLAG, "--set"),
    }


def test_a_setting_is_the_same_by_any_of_its_names(broker_toml: Path) -> None:
    broker_toml.write_text('log.dirs = ["/data/a"]')
    sources = ConfigSources(file=broker_toml)
    assert load_config(sources).data_dir == "/data/a"
    stronger = ConfigSources(file=broker_toml, environment={"EVERLOG_DATA_DIR": "/data/b"})
    assert load_config(stronger).data_dir == "/data/b"


def test_all_that_is_wrong_anywhere_is_said_at_once(broker_toml: Path) -> None:
    broker_toml.write_text('num.partitions = "many"\nnode.id = 3')
    sources = ConfigSources(
        file=broker_toml,
        environment={"EVERLOG_FLUSH_THREADS": "none", "EVERLOG_LOG_SEGMENT_BYTE": "1"},
        flags=["read.threads", "retention.check=1"],
    )
    assert problems_of(sources) == [
        (
            "EVERLOG_LOG_SEGMENT_BYTE: no setting has this variable; did you mean "
            "EVERLOG_LOG_SEGMENT_BYTES?"
        ),
        "--set: 'read.threads' names no setting; write --set name=value",
        f"{broker_toml}: num.partitions=many: write a whole number from 1 to 2147483647",
        f"{broker_toml}: node.id: set broker.id",
        "EVERLOG_FLUSH_THREADS: flush.threads=none: write a whole number from 1 to 64",
        (
            "--set: retention.check: no such setting exists; did you mean "
            "log.retention.check.interval.ms?"
        ),
    ]
    with pytest.raises(InvalidBrokerConfigError, match=r"node\.id: set broker\.id"):
        load_config(sources)


def test_an_option_of_the_command_is_named_as_it_was_written() -> None:
    options = {"store.url": ("--store", "foo")}
    [problem] = problems_of(ConfigSources(options=options))
    assert problem.startswith("--store: store.url=foo: ")
    assert problems_of(ConfigSources(options=options, flags=["store.url=s3://bucket"])) == []


def test_contradictions_are_found_across_sources(broker_toml: Path) -> None:
    broker_toml.write_text('zookeeper.connect = "zk:2181"')
    [problem] = problems_of(ConfigSources(file=broker_toml))
    assert problem.startswith(f"{broker_toml}: store.url: brokers of a cluster share one archive")
    assert problems_of(ConfigSources(file=broker_toml, flags=["store.url=s3://bucket"])) == []


def test_a_missing_file_is_named() -> None:
    [problem] = problems_of(ConfigSources(file=Path("no/such.toml"), flags=["num.partitions=2"]))
    assert problem == ("no/such.toml: No such file or directory; give a TOML file that can be read")


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    [problem] = problems_of(ConfigSources(file=tmp_path))
    assert problem.endswith("give a TOML file that can be read")


def test_a_broken_line_is_named_and_nothing_else_is_guessed(broker_toml: Path) -> None:
    [problem] = problems_of_file(broker_toml, 'num.partitions = 3\nlisteners = "A\n')
    assert "line 2" in problem
    assert "mend that line" in problem


def test_names_that_begin_each_other_are_told_to_be_quoted(broker_toml: Path) -> None:
    text = "max.connections = 5\nmax.connections.per.ip = 2"
    [problem] = problems_of_file(broker_toml, text)
    assert 'put both in quotes: "a.b" = 1' in problem
    quoted = '"max.connections" = 5\n"max.connections.per.ip" = 2'
    assert problems_of_file(broker_toml, quoted) == []


def test_a_file_that_is_no_text_is_refused(broker_toml: Path) -> None:
    broker_toml.write_bytes(b"\xff\xfe")
    [problem] = problems_of(ConfigSources(file=broker_toml))
    assert problem.endswith("save it as UTF-8")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[listeners]]\nport = 1", "listeners: write a text, a number, true or false, or a list"),
        ("num.partitions = 2024-01-01", "num.partitions: write a text, a number, true or false"),
        (
            '"data.dir" = "/a"\nlog.dirs = "/b"',
            "log.dirs: data.dir has set that already; leave one out",
        ),
        (
            '"num.partitions" = 1\n[num]\npartitions = 2',
            "num.partitions: num.partitions has set that already; leave one out",
        ),
    ],
)
def test_what_a_file_cannot_say_is_refused(broker_toml: Path, text: str, problem: str) -> None:
    [found] = problems_of_file(broker_toml, text)
    assert found.startswith(problem)


def test_another_name_is_told_along_with_where_it_was_used() -> None:
    [problem] = problems_of(ConfigSources(flags=["log.dirs=/a,/b"]))
    assert problem.startswith("--set, log.dirs: data.dir=/a,/b: write one directory")


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("EVERLOG_SERVICE_HOST", "10.0.0.1"),
        ("EVERLOG_SERVICE_PORT_KAFKA", "9092"),
        ("EVERLOG_PORT", "tcp://10.0.0.1:9092"),
        ("EVERLOG_PORT_9092_TCP_ADDR", "10.0.0.1"),
        ("EVERLOG_HEADLESS_SERVICE_HOST", "10.0.0.1"),
        ("EVERLOG_ADMIN_PORT", "tcp://10.0.0.1:8080"),
        ("EVERLOG_GATEWAY_PORT", "8080"),
        ("OTHER_LOG_SEGMENT_BYTES", "1"),
    ],
)
def test_variables_of_others_are_left_alone(variable: str, text: str) -> None:
    assert load_config(ConfigSources(environment={variable: text})).given == {}


def test_a_variable_of_kafka_that_does_not_exist_here_is_explained() -> None:
    [problem] = problems_of(ConfigSources(environment={"EVERLOG_NODE_ID": "3"}))
    assert problem == "EVERLOG_NODE_ID: set broker.id"


def test_each_setting_has_a_variable_of_its_own() -> None:
    assert environment_name("log.segment.bytes") == "EVERLOG_LOG_SEGMENT_BYTES"
    assert len({environment_name(name) for name in all_names()}) == len(all_names())


@pytest.mark.parametrize("flag", ["", "num.partitions", "=3", " =3"])
def test_a_flag_needs_a_name_and_a_value(flag: str) -> None:
    [problem] = problems_of(ConfigSources(flags=[flag]))
    assert problem.endswith("write --set name=value")


def test_a_value_may_hold_an_equals_sign() -> None:
    url = "s3://bucket/p?region=eu-west-1&path_style=true"
    assert load_config(ConfigSources(flags=[f"store.url={url}"])).store_url == url


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (name, setting.default_text)
        for name, setting in BROKER_SETTINGS.items()
        if setting.default_text is not None
    ],
)
def test_the_default_of_each_setting_can_be_given_in_the_environment(name: str, text: str) -> None:
    config = load_config(ConfigSources(environment={environment_name(name): text}))
    assert config.given[name].text == text


TEXTS = st.text(max_size=20)


@given(
    st.dictionaries(st.sampled_from(all_names()), TEXTS, max_size=5),
    st.dictionaries(TEXTS.map(lambda text: f"EVERLOG_{text}"), TEXTS, max_size=3),
    st.lists(TEXTS, max_size=3),
)
def test_whatever_is_said_is_taken_or_explained(
    command: Mapping[str, str], environment: Mapping[str, str], flags: list[str]
) -> None:
    sources = ConfigSources(command=command, environment=environment, flags=flags)
    problems = config_problems(sources)
    assert all(problem.where and problem.message for problem in problems)
    if not problems:
        load_config(sources)
