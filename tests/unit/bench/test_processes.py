"""What /proc says is read right, and children are found and told apart."""

import os

from bench.processes import Process, by_role, family, memory, parse_rollup, parse_stat, snapshot

TICKS = os.sysconf("SC_CLK_TCK")


def process(pid: int, parent: int, *command: str) -> Process:
    return Process(pid=pid, parent=parent, session=1, started_ticks=1, cpu_s=0.0, command=command)


def test_a_process_name_may_hold_brackets_and_spaces() -> None:
    after_name = [
        "S",
        "7",
        "8",
        "9",
        *["0"] * 7,
        str(3 * TICKS),
        str(2 * TICKS),
        *["0"] * 6,
        "4711",
        "0",
    ]
    found = parse_stat(f"42 (a) b (c) {' '.join(after_name)}\n", b"java\0-cp\0x y\0")
    assert found == Process(
        pid=42,
        parent=7,
        session=9,
        started_ticks=4711,
        cpu_s=5.0,
        command=("java", "-cp", "x y"),
    )


def test_memory_is_read_in_megabytes() -> None:
    text = (
        "0040-7ffd ---p 0 00:00 0   [rollup]\nRss:   1000 kB\nPss:    500 kB\nPss_Dirty:  9 kB\n"
        "Anonymous:  250 kB\n"
    )
    found = parse_rollup(text)
    assert (found.rss_mb, found.pss_mb, found.anonymous_mb) == (1.024, 0.512, 0.256)


def test_a_family_is_everyone_below_its_root_whatever_the_order() -> None:
    others = [process(9, 1), process(30, 20), process(1, 0), process(20, 10), process(10, 1)]
    assert [member.pid for member in family(10, others)] == [10, 20, 30]


def test_a_family_without_its_root_is_empty() -> None:
    assert family(10, [process(20, 10)]) == []


def test_roles_come_from_words_of_the_command_line() -> None:
    root = process(10, 1, "everlog", "dev", "--set", "gateway.port=1")
    python = "/srv/gateway/bin/python"
    worker = process(20, 10, python, "-m", "service.app.transfer_worker", "19", "file:///x/store")
    gateway = process(30, 10, python, "-m", "service.app.gateway_main", "--socket-fd=3")
    roles = by_role([root, worker, gateway], {"worker": "worker", "gateway": "gateway"})
    assert roles == {"broker": [root], "worker": [worker], "gateway": [gateway]}


def test_a_process_without_a_word_has_its_parents_role() -> None:
    root, worker = process(10, 1, "everlog"), process(20, 10, "python", "-m", "service.app.worker")
    child, own = process(30, 20, "sh"), process(40, 10, "sh")
    roles = by_role([root, worker, child, own], {"worker": "worker"})
    assert roles == {"broker": [root, own], "worker": [worker, child]}


def test_this_process_is_found_with_its_memory() -> None:
    (own,) = [found for found in snapshot() if found.pid == os.getpid()]
    assert own.parent == os.getppid()
    assert memory([own]).rss_mb >= memory([own]).pss_mb > 1
