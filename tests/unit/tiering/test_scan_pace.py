"""How fast the archive may be scanned beside producers."""

import pytest
from typing_extensions import override

from service.model.processor import Processor, ProcessorWaits
from service.tiering.scan_pace import LOOK_SECONDS, QUIET_SECONDS, WAIT_SECONDS_MAX, ScanPace

MIB = 1 << 20
RANGE = 8 * MIB
MIN = 32.0 * MIB
TURNS_PER_SECOND = 1000


class Machine(Processor):
    """A thread that waits longer the faster the archive is scanned.

    Attributes:
        rounds: That producers have caused.
        speed: Of the scan in the last step, in bytes a second.
    """

    def __init__(
        self, *, speed_max: float = 500.0 * MIB, free_speed: float = 100.0 * MIB, idle: float = 2e-5
    ) -> None:
        self.now = 0.0
        self.rounds = 0
        self.rounds_per_second = 500
        self.speed = 0.0
        self.idle_wait = idle
        self._speed_max = speed_max
        self._free_speed = free_speed
        self._waited = 0.0
        self._turns = 0
        self.pace = ScanPace(processor=self, rounds=lambda: self.rounds, bytes_per_second_min=MIN)

    @override
    def waits(self) -> ProcessorWaits:
        return ProcessorWaits(self._waited, self._turns)

    def rest(self, seconds: float) -> None:
        """Let time pass without a scan."""
        self._pass(seconds, 0.0)

    def scan(self, seconds: float) -> float:
        """Scan as fast as is allowed; return the bytes a second."""
        end, began, taken = self.now + seconds, self.now, 0
        while self.now < end:
            delay = self.pace.take(RANGE, now=self.now)
            if delay:
                self._pass(delay, self.speed)
                continue
            taken += RANGE
            rate = self.pace.held_to(self.now) or self._speed_max
            self.speed = min(rate, self._speed_max)
            self._pass(RANGE / self._speed_max, self.speed)
        return taken / (self.now - began)

    def _pass(self, seconds: float, speed: float) -> None:
        self.now += seconds
        turns = round(TURNS_PER_SECOND * seconds)
        wait = self.idle_wait + WAIT_SECONDS_MAX * (speed / self._free_speed) ** 2
        self._turns += turns
        self._waited += turns * wait
        self.rounds += round(self.rounds_per_second * seconds)


def test_a_scan_is_held_to_what_lets_producers_have_their_turns() -> None:
    machine = Machine()
    machine.scan(2.0)
    assert 40 * MIB < machine.scan(10.0) < 120 * MIB


def test_a_scan_always_has_its_least() -> None:
    machine = Machine(free_speed=1.0 * MIB)
    machine.scan(2.0)
    assert machine.scan(10.0) == pytest.approx(MIN, rel=0.1)


@pytest.mark.parametrize(
    "machine",
    [
        pytest.param(Machine(free_speed=10_000.0 * MIB), id="processors to spare"),
        pytest.param(Machine(speed_max=16.0 * MIB, free_speed=1.0 * MIB), id="a slow store"),
    ],
)
def test_who_takes_nothing_from_producers_is_not_held_back(machine: Machine) -> None:
    machine.rest(1.0)
    assert machine.scan(10.0) == pytest.approx(machine._speed_max, rel=0.1)


def test_without_producers_nothing_is_held_back() -> None:
    machine = Machine()
    machine.scan(2.0)
    assert machine.pace.held_to(machine.now) is not None
    machine.rounds_per_second = 2  # consumers that commit their offsets
    machine.scan(2 * LOOK_SECONDS)
    assert machine.pace.held_to(machine.now) is None
    assert machine.scan(5.0) == pytest.approx(500 * MIB, rel=0.1)


def test_what_the_machine_itself_makes_the_thread_wait_does_not_count() -> None:
    crowded = Machine(free_speed=10_000.0 * MIB, idle=3 * WAIT_SECONDS_MAX)
    crowded.pace.take(RANGE, now=crowded.now)
    crowded.rest(2 * QUIET_SECONDS)
    assert crowded.scan(5.0) == pytest.approx(500 * MIB, rel=0.1)


def test_a_pause_of_the_scan_ends_what_held_it_back() -> None:
    machine = Machine()
    machine.scan(2.0)
    machine.rest(2 * QUIET_SECONDS)
    assert machine.pace.take(RANGE, now=machine.now) == 0
    assert machine.pace.held_to(machine.now) is None


def test_what_held_a_scan_back_is_not_told_once_nobody_scans() -> None:
    machine = Machine()
    machine.scan(2.0)
    assert machine.pace.held_to(machine.now) is not None
    machine.rest(2 * QUIET_SECONDS)
    assert machine.pace.held_to(machine.now) is None


def test_where_the_system_does_not_tell_nothing_is_held_back() -> None:
    class Silent(Machine):
        @override
        def waits(self) -> ProcessorWaits:
            return None  # type: ignore[return-value]

    machine = Silent()
    machine.scan(5.0)
    assert machine.pace.held_to(machine.now) is None
