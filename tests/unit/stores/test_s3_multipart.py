"""Uploads in parts: what is sent, and what becomes of one that fails."""

from pathlib import Path

import pytest
from crc32c import crc32c

from everlog.stores.backoff import RetryPolicy
from everlog.stores.body import FilePart
from everlog.stores.errors import ObjectExistsError, StoreCorruptionError, StoreUnavailableError
from everlog.stores.object_key import object_key
from everlog.stores.retrying import RetryingObjectStore
from everlog.stores.s3_checksum import checksum_text
from tests.contract.object_stores import SeededIds, SteadyClock
from tests.unit.stores.scripted_s3 import Answer, error, error_body, scripted_store

KEY = object_key("a/seg")
BODY = bytes(range(250)) * 10
WHOLE = checksum_text(crc32c(BODY))

BEGUN = Answer(body=b"<R><UploadId>u1</UploadId></R>")
BEGUN_AGAIN = Answer(body=b"<R><UploadId>u2</UploadId></R>")
PART = Answer(headers={"ETag": '"e"'})
DONE = Answer(
    body=f"<R><ChecksumCRC32C>{WHOLE}</ChecksumCRC32C>"
    "<ChecksumType>FULL_OBJECT</ChecksumType></R>".encode()
)
ABORTED = Answer(status=204)
IN_PARTS = {"multipart_bytes_min": 2000, "part_bytes": 1000}


def parts(tmp_path: Path) -> list[FilePart | bytes]:
    log = tmp_path / "log"
    log.write_bytes(BODY[:2400])
    return [FilePart(str(log), 0, 2400), BODY[2400:]]


async def test_every_part_and_the_whole_have_a_checksum(tmp_path: Path) -> None:
    async with scripted_store(BEGUN, PART, PART, PART, DONE, **IN_PARTS) as (store, server):
        await store.create_from_file(KEY, parts(tmp_path), crc32c=crc32c(BODY))
    begun, *sent, done = server.asked
    assert begun.headers["x-amz-checksum-type"] == "FULL_OBJECT"
    assert [asked.body for asked in sent] == [BODY[:1000], BODY[1000:2000], BODY[2000:]]
    assert [asked.path.partition("?")[2] for asked in sent] == [
        f"uploadId=u1&partNumber={n}" for n in (1, 2, 3)
    ]
    for asked in sent:
        assert asked.headers["x-amz-checksum-crc32c"] == checksum_text(crc32c(asked.body))
    assert done.headers["x-amz-checksum-crc32c"] == WHOLE
    assert done.headers["x-amz-mp-object-size"] == "2500"
    assert done.headers["If-None-Match"] == "*"


async def test_smaller_objects_go_in_one_piece(tmp_path: Path) -> None:
    stored = Answer(headers={"x-amz-checksum-crc32c": WHOLE})
    async with scripted_store(stored, multipart_bytes_min=2501) as (store, server):
        await store.create_from_file(KEY, parts(tmp_path), crc32c=crc32c(BODY))
    assert server.asked[0].body == BODY


@pytest.mark.rule("TIER-53")
async def test_an_upload_that_fails_with_200_has_failed(tmp_path: Path) -> None:
    failed = Answer(status=200, body=error_body("InternalError"))
    async with scripted_store(BEGUN, PART, PART, PART, failed, ABORTED, **IN_PARTS) as (
        store,
        server,
    ):
        with pytest.raises(StoreUnavailableError, match="InternalError"):
            await store.create_from_file(KEY, parts(tmp_path), crc32c=crc32c(BODY))
    assert (server.asked[-1].method, server.asked[-1].path) == (
        "DELETE",
        "/everlog-tests/cold/a/seg?uploadId=u1",
    )


async def test_a_taken_name_is_found_at_the_end(tmp_path: Path) -> None:
    taken = error(412, "PreconditionFailed")
    async with scripted_store(BEGUN, PART, PART, PART, taken, ABORTED, **IN_PARTS) as (store, _):
        with pytest.raises(ObjectExistsError):
            await store.create_from_file(KEY, parts(tmp_path), crc32c=crc32c(BODY))


@pytest.mark.rule("TIER-26")
async def test_an_upload_that_the_store_forgot_is_begun_again(tmp_path: Path) -> None:
    forgot = error(404, "NoSuchUpload")
    script = (BEGUN, PART, forgot, forgot, BEGUN_AGAIN, PART, PART, PART, DONE)
    async with scripted_store(*script, **IN_PARTS) as (store, server):
        retrying = RetryingObjectStore(
            store,
            clock=SteadyClock(),
            ids=SeededIds(),
            policy=RetryPolicy(transient_wait_s_min=0.0),
        )
        await retrying.create_from_file(KEY, parts(tmp_path), crc32c=crc32c(BODY))
    assert [asked.path.partition("uploadId=")[2][:2] for asked in server.asked[5:]] == ["u2"] * 4


async def test_an_upload_that_cannot_be_aborted_is_named(tmp_path: Path) -> None:
    script = (BEGUN, error(500, "InternalError"), error(403, "AccessDenied"))
    async with scripted_store(*script, **IN_PARTS) as (store, _):
        with pytest.raises(StoreUnavailableError) as caught:
            await store.create_from_file(KEY, parts(tmp_path), crc32c=crc32c(BODY))
    assert "upload u1 was not aborted" in caught.value.__notes__[0]


@pytest.mark.rule("TIER-7")
async def test_a_body_with_another_checksum_begins_no_upload(tmp_path: Path) -> None:
    async with scripted_store(**IN_PARTS) as (store, server):
        with pytest.raises(StoreCorruptionError):
            await store.create_from_file(KEY, parts(tmp_path), crc32c=crc32c(BODY) ^ 1)
    assert server.asked == []
