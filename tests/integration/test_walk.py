"""A stream far larger than the local log comes back whole: the short form of `make walk`."""

from pathlib import Path

import pytest

from tests.contract.object_stores import (
    ACCESS_KEY,
    BUCKET,
    SECRET_KEY,
)
from tests.walk.flights import FLIGHTS, FlightsMissingError, flights, later_flights
from tests.walk.walk import MIB, SHORT_WALK, WHOLE_WALK, Walk, WalkError, shape_of

# A walk gives up by itself where something stands still.
SECONDS_MAX = 300


@pytest.fixture(scope="session", autouse=True)
def _installed() -> None:
    try:
        flights()
    except FlightsMissingError as error:
        pytest.skip(f"the flights are not installed: {error}")


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)


def test_a_long_stream_comes_back_from_a_directory(tmp_path: Path) -> None:
    Walk(SHORT_WALK, directory=tmp_path, store=f"file://{tmp_path}/archive", say=print).run()


@pytest.mark.timeout(SECONDS_MAX)
@pytest.mark.usefixtures("credentials")
def test_a_long_stream_comes_back_from_s3(tmp_path: Path, seaweedfs: str) -> None:
    store = f"s3://{BUCKET}/walk?endpoint={seaweedfs}&region=us-east-1"
    Walk(SHORT_WALK, directory=tmp_path, store=store, say=print).run()


def test_the_shape_of_a_walk_goes_with_its_size() -> None:
    assert shape_of(64 * MIB) == SHORT_WALK
    assert shape_of(1024 * MIB) == WHOLE_WALK
    assert shape_of(512 * MIB).segment_bytes == WHOLE_WALK.segment_bytes
    assert shape_of(200 * MIB).local_bytes_max == 24 * MIB
    with pytest.raises(WalkError, match="at least 64 MiB"):
        shape_of(64 * MIB - 1)


def test_each_round_of_flights_is_a_year_later() -> None:
    rows = later_flights(1 << 30)
    first = [next(rows) for _ in range(FLIGHTS)]
    assert first[0] == (
        b"N14228",
        b"2013,1,1,517,515,2,830,819,11,UA,1545,N14228,EWR,IAH,227,1400,5,15,2013-01-01T10:00:00Z",
    )
    assert first[-1][0] == b"N839MQ"
    assert sum(key == b"NA" for key, _ in first) == 2512
    assert next(rows)[1] == (
        b"2014,1,1,517,515,2,830,819,11,UA,1545,N14228,EWR,IAH,227,1400,5,15,2014-01-01T10:00:00Z"
    )


def test_the_last_flight_completes_the_bytes() -> None:
    lines = [value for _, value in later_flights(1000)]
    assert sum(map(len, lines)) >= 1000 > sum(map(len, lines[:-1]))
