"""Ranged reads by URLs that are signed once: what they spare, and when boto3 is asked instead."""

import pytest

from everlog.stores.errors import (
    ObjectMissingError,
    StoreThrottledError,
    StoreUnavailableError,
)
from everlog.stores.object_key import object_key
from everlog.stores.s3_signed_reads import REFUSALS_MAX
from tests.unit.stores.scripted_s3 import Answer, Asked, error, scripted_store

KEY = object_key("a/seg")
OTHER = object_key("b/seg")
BODY = bytes(range(100))


def part(start: int, end: int) -> Answer:
    return Answer(
        status=206,
        headers={"Content-Range": f"bytes {start}-{end - 1}/100"},
        body=BODY[start:end],
    )


def is_signed_url(asked: Asked) -> bool:
    return "X-Amz-Signature=" in asked.path and "Authorization" not in asked.headers


async def test_the_ranges_of_an_object_have_one_signature_between_them() -> None:
    async with scripted_store(part(0, 10), part(10, 30), part(5, 6)) as (store, server):
        assert await store.read(KEY, 0, 10) == BODY[:10]
        assert await store.read(KEY, 10, 20) == BODY[10:30]
        assert await store.read(OTHER, 5, 1) == BODY[5:6]
    assert all(is_signed_url(each) for each in server.asked)
    first, second, other = (each.path for each in server.asked)
    assert first == second != other
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in first


@pytest.mark.parametrize(
    "refusal",
    [
        error(403, "AccessDenied"),
        error(400, "ExpiredToken"),
        error(307, "TemporaryRedirect"),
        part(0, 9),
        Answer(body=BODY),
    ],
    ids=["denied", "expired", "moved", "short", "whole"],
)
async def test_what_is_not_the_answer_is_left_to_boto3(refusal: Answer) -> None:
    async with scripted_store(part(0, 1), refusal, part(0, 10), part(2, 5)) as (store, server):
        await store.read(KEY, 0, 1)
        assert await store.read(KEY, 0, 10) == BODY[:10]
        assert await store.read(KEY, 2, 3) == BODY[2:5]
    assert [is_signed_url(each) for each in server.asked] == [True, True, False, True]


async def test_a_store_that_takes_no_signed_urls_is_asked_for_none_any_more() -> None:
    refused = [error(403, "AccessDenied"), part(0, 10)] * REFUSALS_MAX
    async with scripted_store(*refused, part(0, 10)) as (store, server):
        for _ in range(REFUSALS_MAX + 1):
            assert await store.read(KEY, 0, 10) == BODY[:10]
    assert not is_signed_url(server.asked[-1])
    assert sum(is_signed_url(each) for each in server.asked) == REFUSALS_MAX


async def test_missing_objects_say_nothing_about_signed_urls() -> None:
    missing = [error(404, "NoSuchKey")] * (2 * REFUSALS_MAX)
    async with scripted_store(*missing, part(0, 10)) as (store, server):
        for number in range(REFUSALS_MAX):
            with pytest.raises(ObjectMissingError):
                await store.read(object_key(f"gone/{number}"), 0, 10)
        assert await store.read(KEY, 0, 10) == BODY[:10]
    assert is_signed_url(server.asked[-1])


@pytest.mark.rule("TIER-27")
async def test_a_store_that_has_too_much_to_do_is_not_asked_twice() -> None:
    async with scripted_store(error(503, "SlowDown"), error(500, "InternalError")) as (
        store,
        server,
    ):
        with pytest.raises(StoreThrottledError, match="said so"):
            await store.read(KEY, 0, 10)
        with pytest.raises(StoreUnavailableError):
            await store.read(KEY, 0, 10)
    assert len(server.asked) == 2
