"""`everlog dev --brokers 3`: brokers that replicate, on one machine and without Java."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from confluent_kafka.admin import AdminClient, NewTopic

from everlog.testing.ports import free_port
from tests.fault.idempotent_load import IdempotentLoad, read_numbers, violations
from tests.fault.test_failover import in_sync, leader_of
from tests.waiting import WAIT_SECONDS_MAX, wait_until

READY = re.compile(r"everlog ready +kafka (\S+) +http (\S+) ")
STOP_SECONDS_MAX = 15
TOPIC = "orders"


def members(pid: int) -> dict[int, int]:
    """Return the processes of the brokers that another process has started, by broker."""
    found = {}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        if b"service.app.dev_member" in words:
            config = Path(words[words.index(b"--config") + 1].decode())
            text = re.search(r'"broker.id" = "(\d+)"', config.read_text())
            assert text is not None
            found[int(text[1])] = int(child)
    return found


def is_running(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False


@contextmanager
def dev_cluster(directory: Path, port: int) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Run it, and give its process and where clients connect."""
    program = Path(sys.executable).with_name("everlog")
    command = [str(program), "dev", "--brokers", "3", "--port", str(port), "--http-port", "0"]
    command += ["--data-dir", str(directory / "data")]
    with (
        (directory / "log").open("ab") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            ready = READY.match(process.stdout.readline())
            assert ready is not None, (directory / "log").read_text()[-2000:]
            yield process, ready[1]
        finally:
            process.kill()


def three_ports() -> int:
    """Return the first of three ports in a row that were all free a moment ago."""
    while True:
        port = free_port()
        with suppress(OSError), ExitStack() as held:
            for number in range(port, port + 3):
                held.enter_context(socket.create_server(("127.0.0.1", number)))
            return port


def test_three_brokers_survive_the_kill_of_any_and_stop_in_order(tmp_path: Path) -> None:
    port = three_ports()
    with dev_cluster(tmp_path, port) as (process, bootstrap):
        admin = AdminClient({"bootstrap.servers": bootstrap})
        for created in admin.create_topics([NewTopic(TOPIC, 1)]).values():
            created.result(WAIT_SECONDS_MAX)
        wait_until(lambda: in_sync(admin, TOPIC) == 3, "not all are in sync")
        load = IdempotentLoad(bootstrap, TOPIC, 1, pause_s=0.001)
        load.start()
        load.wait_for_progress()
        leader = leader_of(admin, TOPIC)
        assert leader is not None
        before = members(process.pid)
        assert before.keys() == {1, 2, 3}
        os.kill(before[leader], signal.SIGKILL)
        begun = time.monotonic()
        load.wait_for_progress()
        print(f"\n{time.monotonic() - begun:.2f} s without an acknowledgement")
        wait_until(
            lambda: members(process.pid).get(leader, before[leader]) != before[leader],
            "it is not started again",
        )
        wait_until(lambda: in_sync(admin, TOPIC) == 3, "it does not come back")
        load.stop()
        found = read_numbers(bootstrap, TOPIC, 0)
        assert violations(load.acknowledged.offsets[0], found) == []
        running = members(process.pid)
        process.terminate()
        assert process.wait(STOP_SECONDS_MAX) == 0
        assert not any(is_running(each) for each in running.values())
    with dev_cluster(tmp_path, port) as (process, bootstrap):
        assert read_numbers(bootstrap, TOPIC, 0) == found
        running = members(process.pid)
        process.kill()
        wait_until(
            lambda: not any(is_running(each) for each in running.values()),
            "brokers have outlived the process that started them",
        )
