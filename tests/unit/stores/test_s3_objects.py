"""What goes over the wire to S3, and what comes of each kind of answer."""

import asyncio
import base64
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest
from crc32c import crc32c

from everlog.model.errors import EverlogError
from everlog.stores.body import FilePart
from everlog.stores.errors import (
    ObjectExistsError,
    ObjectMissingError,
    ObjectsNotDeletedError,
    StoreCorruptionError,
    StoreDeniedError,
    StoreThrottledError,
    StoreUnavailableError,
)
from everlog.stores.object_key import object_key
from everlog.stores.s3_checksum import checksum_text
from tests.contract.object_stores import s3_store
from tests.unit.stores.scripted_s3 import Answer, error, error_body, scripted_store

KEY = object_key("a/seg")
BODY = b"everlog " * 100
CHECKSUM = checksum_text(crc32c(BODY))
STORED = Answer(headers={"x-amz-checksum-crc32c": CHECKSUM})


def head(size: int, **headers: str) -> Answer:
    return Answer(
        headers={
            "Content-Length": str(size),
            "Last-Modified": "Wed, 21 Oct 2026 07:28:00 GMT",
            **headers,
        }
    )


async def test_a_create_is_conditional_and_says_its_checksum() -> None:
    async with scripted_store(STORED) as (store, server):
        await store.create(KEY, BODY)
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("PUT", "/everlog-tests/cold/a/seg")
    assert asked.body == BODY
    assert asked.headers["If-None-Match"] == "*"
    assert asked.headers["x-amz-checksum-crc32c"] == CHECKSUM
    # No trailer (some stores take none), and no question that may be answered in the wrong place.
    assert "aws-chunked" not in asked.headers.get("Content-Encoding", "")
    assert "Expect" not in asked.headers


@pytest.mark.rule("TIER-17")
@pytest.mark.rule("TIER-27")
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (error(412, "PreconditionFailed"), ObjectExistsError),
        (error(409, "ConditionalRequestConflict"), StoreUnavailableError),
        (error(400, "BadDigest"), StoreUnavailableError),
        (error(400, "RequestTimeout"), StoreUnavailableError),
        (error(500, "InternalError"), StoreUnavailableError),
        (error(503, "SlowDown"), StoreThrottledError),
        (error(429, "TooManyRequests"), StoreThrottledError),
        (error(403, "AccessDenied"), StoreDeniedError),
        (error(404, "NoSuchBucket"), StoreDeniedError),
        (error(501, "NotImplemented"), StoreDeniedError),
        (Answer(status=502, body=b"<html>a proxy</html>"), StoreUnavailableError),
        (Answer(missing=10), StoreUnavailableError),
    ],
)
async def test_a_failed_create_is_told_apart_and_not_repeated(
    answer: Answer, expected: type[EverlogError]
) -> None:
    async with scripted_store(answer) as (store, server):
        with pytest.raises(expected):
            await store.create(KEY, BODY)
    assert len(server.asked) == 1


async def test_a_refusal_says_what_to_check() -> None:
    async with scripted_store(error(403, "AccessDenied"), error(404, "NoSuchBucket")) as (store, _):
        with pytest.raises(StoreDeniedError, match="s3:PutObject"):
            await store.create(KEY, BODY)
        with pytest.raises(StoreDeniedError, match="create the bucket"):
            await store.list("")


async def test_a_store_that_nobody_answers_for_is_unavailable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        store = s3_store(f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(StoreUnavailableError):
            await store.head(KEY)
        await store.close()


@pytest.mark.rule("TIER-7")
async def test_a_store_that_has_other_bytes_is_found_out() -> None:
    wrong = checksum_text(crc32c(BODY) ^ 1)
    async with scripted_store(
        Answer(headers={"x-amz-checksum-crc32c": wrong}),
        Answer(),
        head(len(BODY) - 1),
        Answer(),
        head(len(BODY), **{"x-amz-checksum-crc32c": wrong}),
    ) as (store, _):
        for _attempt in range(3):
            with pytest.raises(StoreCorruptionError):
                await store.create(KEY, BODY)


@pytest.mark.rule("TIER-53")
async def test_a_store_that_keeps_no_checksum_is_asked_for_the_size() -> None:
    async with scripted_store(Answer(), head(len(BODY))) as (store, server):
        await store.create(KEY, BODY)
    assert [asked.method for asked in server.asked] == ["PUT", "HEAD"]


@pytest.mark.rule("TIER-7")
@pytest.mark.parametrize("signs_bodies", [True, False])
async def test_a_body_that_changed_is_never_sent_whole(
    tmp_path: Path, *, signs_bodies: bool
) -> None:
    log = tmp_path / "log"
    log.write_bytes(BODY * 100)
    async with scripted_store(signs_bodies=signs_bodies) as (store, server):
        with pytest.raises(StoreCorruptionError, match="promised"):
            await store.create_from_file(
                KEY, [FilePart(str(log), 0, len(BODY) * 100)], crc32c=crc32c(BODY)
            )
    assert server.asked == []


@pytest.mark.parametrize("missing", [1, 300_000])
async def test_an_answer_that_ends_early_is_worth_another_try(tmp_path: Path, missing: int) -> None:
    size = 600_000
    cut = Answer(
        status=206,
        headers={"Content-Range": f"bytes 0-{size - 1}/{size}"},
        body=bytes(size - missing),
        missing=missing,
    )
    whole = Answer(body=bytes(size - missing), missing=missing)
    path = tmp_path / "chunk"
    async with scripted_store(cut, cut, cut, whole) as (store, _):
        with pytest.raises(StoreUnavailableError):
            await store.read(KEY, 0, size)
        with pytest.raises(StoreUnavailableError):
            await store.read_into(KEY, 0, bytearray(size))
        with pytest.raises(StoreUnavailableError):
            await store.read_into_file(KEY, 0, size, str(path))
        with pytest.raises(StoreUnavailableError):
            await store.read_all(KEY, size_max=size)
    assert not path.exists()


async def test_a_store_that_ignores_ranges_is_found_out() -> None:
    async with scripted_store(Answer(body=BODY), Answer(body=BODY)) as (store, server):
        with pytest.raises(StoreCorruptionError, match="asked for"):
            await store.read(KEY, 10, 20)
    assert [each.headers["Range"] for each in server.asked] == ["bytes=10-29"] * 2


async def test_a_whole_object_is_verified_by_the_checksum_that_the_store_keeps() -> None:
    async with scripted_store(
        Answer(body=BODY, headers={"x-amz-checksum-crc32c": CHECKSUM}),
        Answer(body=BODY[:-1] + b"!", headers={"x-amz-checksum-crc32c": CHECKSUM}),
        Answer(body=BODY, headers={"x-amz-checksum-crc32c": "AAAAAA==-2"}),
    ) as (store, _):
        assert await store.read_all(KEY, size_max=1000) == BODY
        with pytest.raises(StoreCorruptionError):
            await store.read_all(KEY, size_max=1000)
        assert await store.read_all(KEY, size_max=1000) == BODY


async def test_a_missing_object_answers_head_without_a_body() -> None:
    async with scripted_store(Answer(status=404)) as (store, _):
        with pytest.raises(ObjectMissingError):
            await store.head(KEY)


def page(*names: str, following: str = "") -> Answer:
    contents = "".join(
        f"<Contents><Key>{name}</Key><LastModified>2026-10-21T07:28:00.500Z</LastModified>"
        "<Size>7</Size></Contents>"
        for name in names
    )
    more = f"<NextContinuationToken>{following}</NextContinuationToken>" if following else ""
    truncated = "true" if following else "false"
    body = f"<ListBucketResult><IsTruncated>{truncated}</IsTruncated>{more}{contents}"
    return Answer(body=f"{body}</ListBucketResult>".encode())


async def test_a_listing_takes_as_many_requests_as_it_needs() -> None:
    first = page(*(f"cold/p/{n:04d}" for n in range(1000)), following="next")
    async with scripted_store(first, page("cold/p/1000", "cold/p/1001")) as (store, server):
        listed = await store.list("p/", start_after="p/", limit=1500)
    assert [info.key for info in listed] == [f"p/{n:04d}" for n in range(1002)]
    assert (
        listed[0].modified_ms == 1000 * datetime(2026, 10, 21, 7, 28, tzinfo=UTC).timestamp() + 500
    )
    assert "max-keys=1000&" in server.asked[0].path + "&"
    assert "start-after=cold%2Fp%2F" in server.asked[0].path
    assert "max-keys=500&" in server.asked[1].path + "&"
    assert "continuation-token=next" in server.asked[1].path


async def test_names_that_are_not_ours_are_left_out() -> None:
    async with scripted_store(
        page("cold/p/", "cold/p/a b", "cold/p/~", following="t"), page("cold/p/ours")
    ) as (store, _):
        assert [info.key for info in await store.list("p/", limit=1)] == ["p/ours"]


@pytest.mark.rule("TIER-30")
async def test_a_listing_that_goes_in_circles_ends() -> None:
    async with scripted_store(page(following="t"), page(following="t")) as (store, _):
        with pytest.raises(StoreUnavailableError, match="same page"):
            await store.list("")


@pytest.mark.rule("TIER-47")
async def test_a_throttled_delete_keeps_what_it_has_done() -> None:
    keys = [object_key(f"p/{n}") for n in range(2500)]
    partly = Answer(
        body=b"<DeleteResult><Error><Key>cold/p/3</Key><Code>InternalError</Code></Error>"
        b"<Error><Key>cold/p/4</Key><Code>AccessDenied</Code></Error>"
        b"<Error><Key>cold/p/5</Key><Code>NoSuchKey</Code></Error></DeleteResult>"
    )
    async with scripted_store(partly, error(503, "SlowDown")) as (store, server):
        with pytest.raises(ObjectsNotDeletedError) as caught:
            await store.delete(keys)
    failures = caught.value.failures
    assert set(failures) == {keys[3], keys[4], *keys[1000:]}
    assert isinstance(failures[keys[3]], StoreUnavailableError)
    assert isinstance(failures[keys[4]], StoreDeniedError)
    assert isinstance(failures[keys[2400]], StoreThrottledError)
    first = server.asked[0]
    assert first.body.count(b"<Key>cold/p/") == 1000
    assert len(base64.b64decode(first.headers["Content-MD5"])) == 16


async def test_a_delete_without_permission_is_refused() -> None:
    async with scripted_store(error(403, "AccessDenied")) as (store, _):
        with pytest.raises(StoreDeniedError, match="s3:DeleteObject"):
            await store.delete([KEY])


async def test_a_cancelled_upload_is_cut_off(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(bytes(64 << 20))
    crc = crc32c(log.read_bytes())
    async with scripted_store() as (store, server):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await store.create_from_file(KEY, [FilePart(str(log), 0, 64 << 20)], crc32c=crc)
    assert server.asked == []


async def test_an_error_in_a_page_is_no_page() -> None:
    async with scripted_store(Answer(body=error_body("InternalError"))) as (store, _):
        with pytest.raises(StoreUnavailableError):
            await store.list("")
