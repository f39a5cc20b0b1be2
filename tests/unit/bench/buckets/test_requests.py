"""Requests are read from the store's own page and cost what Amazon asks for their kind."""

import pytest

from bench.buckets.requests import dollars, parse_requests, since

PAGE = """\
# HELP SeaweedFS_s3_request_total Counter of s3 requests.
# TYPE SeaweedFS_s3_request_total counter
SeaweedFS_s3_request_total{bucket="everlog",code="200",type="PUT"} 40
SeaweedFS_s3_request_total{bucket="everlog",code="412",type="PUT"} 2
SeaweedFS_s3_request_total{bucket="everlog",code="206",type="GET"} 1.2e+03
SeaweedFS_s3_request_seconds_count{bucket="everlog",type="GET"} 7
SeaweedFS_filer_request_total{code="200",type="GET"} 99
"""


def test_requests_are_counted_by_kind_whatever_was_answered() -> None:
    assert parse_requests(PAGE) == {"PUT": 42, "GET": 1200}


def test_a_page_without_requests_counts_none() -> None:
    assert parse_requests("# nothing yet\n") == {}


def test_what_was_counted_before_is_not_counted_again() -> None:
    before = {"PUT": 2.0, "GET": 5.0}
    assert since(before, {"PUT": 12.0, "GET": 5.0, "LIST": 1.0}) == {"PUT": 10, "LIST": 1}


@pytest.mark.parametrize(
    ("kind", "cents_for_100_000"),
    [("PUT", 50), ("LIST", 50), ("POST", 50), ("unheard of", 50), ("GET", 4), ("HEAD", 4)],
)
def test_a_request_has_its_list_price(kind: str, cents_for_100_000: float) -> None:
    assert dollars({kind: 100_000}) * 100 == pytest.approx(cents_for_100_000)


def test_deleting_is_free() -> None:
    assert dollars({"DELETE": 1_000_000}) == 0
