"""The command `everlog` against a real server, as people and scripts run it."""

import json
import os
import random
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from everlog.testing import RunningServer, running_server
from tests.integration.command import ESCAPE, PROGRAM, Command

_UNTIERED = "remote.storage.enable=false"


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server(num_partitions=2) as running:
        Command(running.bootstrap).out("topic", "create", "taken")
        yield running


@pytest.fixture
def everlog(server: RunningServer) -> Command:
    return Command(server.bootstrap)


def test_a_file_comes_back_as_it_was(everlog: Command, tmp_path: Path) -> None:
    noise = random.Random(7)
    lines = [noise.randbytes(noise.randrange(200)).replace(b"\n", b" ") for _ in range(5000)]
    file = tmp_path / "lines"
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    everlog.out("topic", "create", "noise", "-p", "1")
    facts = everlog.facts("produce", "noise", "--file", str(file), "--compression", "zstd")
    assert facts["records"] == 5000
    assert facts["partitions"] == [{"partition": 0, "first_offset": 0, "last_offset": 4999}]
    assert everlog.out("consume", "noise") == file.read_bytes()


def test_keys_headers_and_partitions_are_kept(everlog: Command) -> None:
    words = ["produce", "keyed", "--key-sep", ":", "--header", "a=b", "--partition", "1"]
    everlog.out(*words, stdin=b"k:v:w\nno key\n")
    shown = everlog.out("consume", "keyed", "--format", "%p %o [%k] %K %v %h\\n")
    assert shown == b"1 0 [k] 1 v:w a=b\n1 1 [] -1 no key a=b\n"


def test_only_topics_that_brokers_keep_are_hidden(everlog: Command) -> None:
    everlog.out("topic", "create", "__mine", "-p", "1")
    everlog.out("produce", "__mine", stdin=b"a\n")
    everlog.out("consume", "__mine", "--group", "g")
    shown = {each["topic"] for each in everlog.facts("topic", "list")}
    assert "__mine" in shown
    assert "__consumer_offsets" not in shown
    everywhere = {each["topic"] for each in everlog.facts("topic", "list", "--internal")}
    assert everywhere - shown == {"__consumer_offsets"}
    everlog.refusal("topic", "delete", "__consumer_offsets", "--yes", status=1)
    assert everlog.facts("topic", "describe", "__consumer_offsets")


@pytest.mark.parametrize(
    ("words", "offsets"),
    [
        (["--from", "earliest", "--limit", "2"], [0, 1]),
        (["--from", "7"], [7, 8, 9]),
        (["--from", "-2"], [8, 9]),
        (["--from", "3", "--to", "5"], [3, 4]),
        (["--from", "@-1h", "--to", "2"], [0, 1]),
        (["--from", "@2100-01-01"], []),
    ],
)
def test_a_span_is_read_from_place_to_place(
    everlog: Command, words: list[str], offsets: list[int]
) -> None:
    listed = everlog.facts("topic", "list")
    if "span" not in {each["topic"] for each in listed}:
        everlog.out("topic", "create", "span", "-p", "1")
        everlog.out("produce", "span", stdin=b"".join(b"%d\n" % n for n in range(10)))
    shown = everlog.out("consume", "span", *words, "--format", "%o ")
    assert list(map(int, shown.split())) == offsets


def test_a_topic_lives_from_create_to_delete(everlog: Command) -> None:
    made = everlog.facts("topic", "create", "brief", "-p", "3", "-c", "retention.ms=86400000")
    assert (made["partitions"], made["replicas"]) == (3, 1)
    everlog.out("topic", "alter", "brief", "--set", "retention.ms=3600000", "--partitions", "4")
    facts = everlog.facts("topic", "describe", "brief")
    assert facts["partitions"] == 4
    assert facts["retention"] == "1 hour"
    assert facts["settings"] == {"retention.ms": "3600000"}
    assert [each["end"] for each in facts["partition_list"]] == [0, 0, 0, 0]
    everlog.out("topic", "alter", "brief", "--unset", "retention.ms")
    assert everlog.facts("topic", "describe", "brief")["settings"] == {}
    assert everlog.out("topic", "delete", "brief", "--yes") == b"deleted brief\n"
    assert "brief" not in {each["topic"] for each in everlog.facts("topic", "list")}


def test_a_group_reads_commits_moves_and_goes(everlog: Command) -> None:
    everlog.out("topic", "create", "shared", "-p", "1")
    everlog.out("produce", "shared", stdin=b"".join(b"%d\n" % n for n in range(10)))
    first = everlog.out("consume", "shared", "--group", "billing", "--limit", "4")
    rest = everlog.out("consume", "shared", "--group", "billing")
    assert (first + rest).split() == [b"%d" % n for n in range(10)]
    facts = everlog.facts("group", "describe", "billing")
    assert (facts["state"], facts["members"], facts["lag"]) == ("empty", 0, 0)
    planned = everlog.facts("group", "seek", "billing", "--to", "-3", "--dry-run")
    assert planned["partitions"] == [
        {"topic": "shared", "partition": 0, "from": 10, "to": 7, "clamped": False}
    ]
    assert everlog.facts("group", "describe", "billing")["lag"] == 0
    everlog.out("group", "seek", "billing", "--to", "-3")
    assert everlog.facts("group", "describe", "billing")["lag"] == 3
    assert "billing" in {each["group"] for each in everlog.facts("group", "list")}
    everlog.out("group", "delete", "billing", "--yes")
    assert "does not exist" in everlog.refusal("group", "describe", "billing", status=1)


def test_the_tier_is_explained(everlog: Command) -> None:
    everlog.out("produce", "explained", stdin=b"one\ntwo\n")
    facts = everlog.facts("tier", "explain", "explained")
    assert (facts["records"], facts["local_records"], facts["archived_records"]) == (2, 2, 0)
    rows = everlog.facts("tier", "status", "explained")
    assert [each["upload_lag"] for each in rows] == [each["end"] for each in rows]


def test_a_topic_that_is_not_tiered_waits_for_nothing(everlog: Command) -> None:
    for name, setting in (("squeezed", "cleanup.policy=compact"), ("home", _UNTIERED)):
        everlog.out("topic", "create", name, "-p", "1", "-c", setting)
        everlog.out("produce", name, "--key-sep", ":", stdin=b"k:v\n")
        assert everlog.facts("tier", "explain", name)["upload_lag"] is None
        assert b"not tiered" in everlog.out("tier", "explain", name)
        assert b"  not tiered  " in everlog.out("tier", "status", name)


@pytest.mark.parametrize("columns", [80, 120])
def test_no_cell_is_broken_on_a_terminal(everlog: Command, columns: int) -> None:
    name = "a-topic-with-a-rather-long-name"
    if name not in {each["topic"] for each in everlog.facts("topic", "list")}:
        everlog.out("topic", "create", name, "-p", "1")
        everlog.out("produce", name, stdin=b"one\n")
    for words in (["topic", "list"], ["tier", "status"], ["topic", "describe", name]):
        lines = everlog.on_terminal(*words, columns=columns).decode().split("\r\n")
        assert all(len(line) <= columns + len("\x1b[1m\x1b[0m") for line in lines)
        assert any(name in line for line in lines)
        titles = next(line for line in lines if "PARTITION" in line)
        assert "RECORDS" in titles or "ARCHIVED TO" in titles


def test_settings_are_listed_with_where_they_are_from(everlog: Command) -> None:
    rows = everlog.facts("config", "list", "--set", "num.partitions=7")
    found = {each["name"]: (each["value"], each["where"]) for each in rows}
    assert found["num.partitions"] == ("7", "--set")
    assert found["broker.rack"] == (None, None)
    assert "retention.ms" in {each["name"] for each in everlog.facts("config", "list", "--topic")}
    heading, *_ = everlog.out("config", "list").decode().splitlines()
    assert heading == "What everlog dev would start with; no running broker is asked"


@pytest.mark.parametrize(
    ("words", "status", "part"),
    [
        (["topc"], 2, "did you mean topic?"),
        (["topic", "lst"], 2, "no such command 'lst'; did you mean 'list'?\n"),
        (["group", "seek", "g", "--to", "1", "--topic", "taken", "-p", "9"], 1, "no partition 9"),
        (["produce", "__consumer_offsets"], 1, "is written by the broker itself"),
        (
            ["tier", "explain", "taken", "--prices", "/no"],
            2,
            "/no: No such file or directory; give",
        ),
        (["topic", "list", "--nope"], 2, "--help"),
        (["consume"], 2, "TOPIC"),
        (["consume", "t", "--from", "soon"], 2, "'soon' is no place in a log"),
        (["consume", "t", "--format", "%q"], 2, "%q is unknown"),
        (["consume", "t", "--follow", "--to", "5"], 2, "leave out one"),
        (["produce", "t", "--file", "/nowhere"], 2, "/nowhere"),
        (["produce", "t", "-p", "3000000000"], 2, "from 0 to 2147483647"),
        (["produce", "t", "--key-sep", ""], 2, "--key-sep"),
        (["topic", "create", "t", "--config", "x"], 2, "name=value"),
        (["topic", "create", "t", "-p", "1000000"], 2, "from 1 to 100000"),
        (["topic", "alter", "t", "-p", "1000000"], 2, "from 1 to 100000"),
        (["consume", "t", "--group", "", "-n", "1"], 2, "the name of a group is empty"),
        (["group", "describe", ""], 2, "the name of a group is empty"),
        (["group", "delete", "a", "", "--yes"], 2, "the name of a group is empty"),
        (["topic", "alter", "t"], 2, "nothing to change"),
        (["topic", "delete", "t"], 2, "use --yes"),
        (["topic", "list", "--bootstrap", "nope:port"], 2, "write HOST:PORT"),
        (["group", "list", "-b", "http://127.0.0.1:9092"], 2, "is not an address; write HOST:PORT"),
        (["dev", "--port", "99999"], 2, "--port"),
        (["dev", "--brokers", "0"], 2, "--brokers=0"),
        (["broker", "--config", "/nowhere", "--check"], 2, "/nowhere"),
        (["consume", "absent"], 1, "topic absent does not exist"),
        (["topic", "describe", "absent"], 1, "topic absent does not exist"),
        (["topic", "create", "t", "-c", "nope=1"], 1, "nope"),
        (["topic", "create", "taken"], 1, '"everlog topic alter taken", or take another name'),
        (["tier", "clone", "taken", "taken"], 1, "give the clone another name"),
        (["group", "describe", "absent"], 1, "group absent does not exist"),
        (["consume", "t", "-o", "json", "--format", "%v"], 2, "leave out one of them"),
        (["consume", "t", "--from", "10", "--to", "5"], 2, "nothing lies between"),
        (["topic", "create", "a b"], 2, "letters, digits, '.', '_' and '-' are allowed"),
        (["produce", "a/b"], 2, "letters, digits, '.', '_' and '-' are allowed"),
        (["topic", "list", "--bootstrap", "127.0.0.1:1"], 1, 'start one with "everlog dev"'),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_do(
    everlog: Command, words: list[str], status: int, part: str
) -> None:
    assert part in everlog.refusal(*words, status=status)


@pytest.mark.parametrize("noun", ["topic", "group", "tier", "config"])
def test_a_noun_alone_shows_its_help(everlog: Command, noun: str) -> None:
    done = everlog.run(noun)
    assert done.returncode == 2
    assert done.stderr.startswith(b"Usage: everlog " + noun.encode())


def test_nothing_is_coloured_where_there_is_no_terminal(everlog: Command) -> None:
    everlog.out("produce", "plain", stdin=b"one\n")
    for words in (["topic", "list"], ["topic", "describe", "plain"], ["tier", "status"]):
        done = everlog.run(*words)
        assert ESCAPE not in done.stdout + done.stderr
        assert done.stdout.isascii()


def test_a_table_on_a_terminal_has_the_same_facts(everlog: Command) -> None:
    everlog.out("produce", "shown", stdin=b"one\n")
    shown = everlog.on_terminal("topic", "describe", "shown")
    assert ESCAPE in shown, "titles are set apart on a terminal"
    for word in (b"shown  2 partitions, 1 replica", b"HIGH WATERMARK", b"Settings other than"):
        assert word in shown


def test_a_topic_that_a_mistyped_name_has_made_is_told(everlog: Command) -> None:
    made = everlog.run("produce", "mistyped", "-o", "json", stdin=b"one\n")
    assert made.stderr == b"everlog: created topic mistyped (2 partitions)\n"
    assert json.loads(made.stdout)["records"] == 1
    again = everlog.run("produce", "mistyped", stdin=b"two\n")
    assert (again.returncode, again.stderr) == (0, b"")
    nothing = everlog.run("produce", "unwritten", stdin=b"")
    assert (nothing.returncode, nothing.stderr) == (0, b"")


def test_progress_is_shown_on_a_terminal_only(everlog: Command, tmp_path: Path) -> None:
    everlog.out("topic", "create", "watched")
    file = tmp_path / "lines"
    file.write_bytes(b"line\n" * 20_000)
    words = ["produce", "watched", "--file", str(file)]
    assert everlog.run(*words).stderr == b""
    assert b"producing" in everlog.on_terminal(*words)


def test_a_reader_that_leaves_early_is_no_error(everlog: Command) -> None:
    everlog.out("produce", "long", stdin=b"a line\n" * 50_000)
    pipe = f"'{PROGRAM}' consume long | head -1"
    done = subprocess.run(
        ["bash", "-c", pipe], capture_output=True, env=everlog.environment, timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == (b"a line\n", b"")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_can_complete_the_command(everlog: Command, shell: str) -> None:
    assert b"_EVERLOG_COMPLETE" in everlog.out("--show-completion", shell)


def test_what_is_on_the_command_line_holds_against_the_environment(tmp_path: Path) -> None:
    environment = {
        "EVERLOG_BOOTSTRAP": "elsewhere:9092",  # for the other commands, and no setting
        "EVERLOG_DATA_DIR": str(tmp_path / "other"),
        "EVERLOG_LISTENERS": "nonsense",
    }
    words = ["dev", "--data-dir", str(tmp_path / "mine"), "--port", "0", "--http-port", "0"]
    with subprocess.Popen(
        [PROGRAM, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **environment},
        text=True,
    ) as process:
        deadline = threading.Timer(60, process.kill)
        deadline.start()
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
        finally:
            deadline.cancel()
            process.terminate()
    assert f"data {tmp_path / 'mine'}" in line
    assert f"store file://{tmp_path / 'mine'}/store" in line
    assert not (tmp_path / "other").exists()
