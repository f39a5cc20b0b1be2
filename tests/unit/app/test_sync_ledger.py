"""The ledger of a disk, and the power cuts that go by it."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from service.app.sync_ledger import (
    BOOT_ID,
    KEPT,
    VARIABLE,
    LedgerDisk,
    SyncLedger,
    boot_id,
    disk_of,
)
from service.app.system_disk import SystemDisk
from tests.cluster.power_failure import PAGE_BYTES, cut_power

SEEDS = range(40)
SYNCED, MORE = b"synced", b"x" * 3 * PAGE_BYTES


class Machine:
    """A data directory and its ledger, started as often as a test likes."""

    def __init__(self, place: Path) -> None:
        self.data, self.ledger = place / "data", place / "ledger"
        self.data.mkdir(parents=True)

    def disk(self) -> LedgerDisk:
        return LedgerDisk(SyncLedger(self.ledger))

    def path(self, name: str) -> str:
        return str(self.data / name)

    def append(self, disk: LedgerDisk, name: str, content: bytes, *, sync: bool) -> None:
        file = disk.open(self.path(name), create=True)
        file.write_at(file.size(), [content])
        if sync:
            file.sync()
            disk.sync_dir(str(self.data))
        file.close()

    def names(self) -> set[str]:
        return {each.name for each in self.data.iterdir()}

    def content(self, name: str) -> bytes:
        return (self.data / name).read_bytes()


def outcomes(tmp_path: Path, work: Callable[[Machine], None]) -> list[Machine]:
    """Do the same again and again, and cut the power in another way each time."""
    machines = []
    for seed in SEEDS:
        machine = Machine(tmp_path / str(seed))
        work(machine)
        cut_power(machine.data, machine.ledger, random.Random(seed))
        machines.append(machine)
    return machines


def test_what_was_synced_stays_and_what_was_not_goes_in_part(tmp_path: Path) -> None:
    def work(machine: Machine) -> None:
        disk = machine.disk()
        machine.append(disk, "log", SYNCED, sync=True)
        machine.append(disk, "log", MORE, sync=False)

    left = [machine.content("log") for machine in outcomes(tmp_path, work)]
    assert all(each.startswith(SYNCED) for each in left)
    assert len({len(each) for each in left}) > len(SEEDS) / 2
    assert any(each.strip(b"x") != SYNCED for each in left), "no page was lost in the middle"


def test_a_name_that_is_not_durable_may_go(tmp_path: Path) -> None:
    def work(machine: Machine) -> None:
        file = machine.disk().open(machine.path("log"), create=True)
        file.write_at(0, [SYNCED])
        file.sync()
        file.close()

    names = [machine.names() for machine in outcomes(tmp_path, work)]
    assert {"log"} in names
    assert set() in names


def test_a_file_that_was_replaced_may_be_the_old_one_again(tmp_path: Path) -> None:
    def work(machine: Machine) -> None:
        disk = machine.disk()
        for name, content in (("mark", b"old"), ("mark.tmp", b"new")):
            machine.append(disk, name, content, sync=True)
        disk.rename(machine.path("mark.tmp"), machine.path("mark"))

    machines = outcomes(tmp_path, work)
    assert {machine.content("mark") for machine in machines} == {b"old", b"new"}
    for machine in machines:
        assert (machine.content("mark") == b"old") == ("mark.tmp" in machine.names())


def test_a_file_that_was_replaced_as_one_step_stays_replaced(tmp_path: Path) -> None:
    def work(machine: Machine) -> None:
        for content in (b"old", b"new"):
            machine.disk().write_file_atomically(machine.path("mark"), content)

    for machine in outcomes(tmp_path, work):
        assert machine.content("mark") == b"new"
        assert list((machine.ledger / KEPT).iterdir()) == []


def test_a_removed_file_may_come_back_until_its_directory_is_synced(tmp_path: Path) -> None:
    def work(machine: Machine) -> None:
        disk = machine.disk()
        for name in ("one", "two"):
            machine.append(disk, name, SYNCED, sync=True)
        disk.unlink(machine.path("one"))
        disk.sync_dir(str(machine.data))
        disk.unlink(machine.path("two"))

    machines = outcomes(tmp_path, work)
    assert {frozenset(machine.names()) for machine in machines} == {frozenset(), frozenset({"two"})}
    assert all(machine.content("two") == SYNCED for machine in machines if machine.names())


def test_changes_of_names_go_from_the_last_one_back(tmp_path: Path) -> None:
    def work(machine: Machine) -> None:
        disk = machine.disk()
        for name in "abc":
            machine.append(disk, name, SYNCED, sync=False)

    left = {"".join(sorted(machine.names())) for machine in outcomes(tmp_path, work)}
    assert left == {"", "a", "ab", "abc"}


def test_a_killed_process_leaves_its_ledger_to_the_next_one(tmp_path: Path) -> None:
    def work(machine: Machine) -> None:
        machine.append(machine.disk(), "log", SYNCED, sync=True)
        machine.append(machine.disk(), "log", MORE, sync=False)
        machine.append(machine.disk(), "other", MORE, sync=False)

    machines = outcomes(tmp_path, work)
    assert {frozenset(machine.names()) for machine in machines} == {
        frozenset({"log"}),
        frozenset({"log", "other"}),
    }
    assert min(len(machine.content("log")) for machine in machines) < len(MORE)


def test_a_process_that_was_killed_while_it_removed_a_file_is_followed_by_one_that_does(
    tmp_path: Path,
) -> None:
    machine = Machine(tmp_path)
    machine.append(machine.disk(), "log", SYNCED, sync=True)
    ledger = SyncLedger(machine.ledger)
    assert ledger.keep(machine.path("log")) is not None
    disk = machine.disk()
    disk.unlink(machine.path("log"))
    disk.sync_dir(str(machine.data))
    assert machine.names() == set()
    assert list((machine.ledger / KEPT).iterdir()) == []


def test_what_a_cut_file_had_beyond_its_end_is_not_synced_any_more(tmp_path: Path) -> None:
    def work(machine: Machine) -> None:
        disk = machine.disk()
        machine.append(disk, "log", MORE, sync=True)
        file = disk.open(machine.path("log"))
        file.truncate(len(SYNCED))
        file.write_at(len(SYNCED), [MORE])
        file.close()

    left = [machine.content("log") for machine in outcomes(tmp_path, work)]
    assert all(each.startswith(MORE[: len(SYNCED)]) for each in left)
    assert min(map(len, left)) < len(MORE)


def test_after_a_cut_everything_left_is_durable(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.append(machine.disk(), "log", SYNCED, sync=True)
    machine.append(machine.disk(), "log", MORE, sync=False)
    cut_power(machine.data, machine.ledger, random.Random(1))
    left = machine.content("log")
    cut = cut_power(machine.data, machine.ledger, random.Random(2))
    assert (machine.content("log"), cut.bytes, cut.names) == (left, 0, 0)


def test_the_next_start_is_one_of_the_operating_system_unless_nobody_says_so(
    tmp_path: Path,
) -> None:
    machine = Machine(tmp_path)
    environment = {VARIABLE: str(machine.ledger)}
    machine.append(machine.disk(), "log", SYNCED, sync=True)
    assert boot_id(environment) == boot_id({})
    cut_power(machine.data, machine.ledger, random.Random(1), is_told=False)
    assert boot_id(environment) == boot_id({})
    cut_power(machine.data, machine.ledger, random.Random(1))
    assert boot_id(environment) == (machine.ledger / BOOT_ID).read_text().strip() != boot_id({})


@pytest.mark.parametrize(("environment", "kind"), [({}, SystemDisk), ({VARIABLE: ""}, SystemDisk)])
def test_without_the_variable_nothing_is_written_down(
    environment: dict[str, str], kind: type[SystemDisk]
) -> None:
    assert type(disk_of(environment)) is kind


def test_with_the_variable_there_is_a_ledger(tmp_path: Path) -> None:
    assert isinstance(disk_of({VARIABLE: str(tmp_path / "ledger")}), LedgerDisk)
    assert (tmp_path / "ledger" / "ledger").exists()
