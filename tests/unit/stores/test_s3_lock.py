"""What is asked and answered about locks, in the words of S3."""

import pytest
from crc32c import crc32c

from everlog.model.object_lock import LockMode, ObjectLock
from everlog.stores.errors import StoreDeniedError, StoreUnavailableError
from everlog.stores.object_key import object_key
from everlog.stores.s3_checksum import checksum_text
from tests.unit.stores.scripted_s3 import Answer, error, scripted_store

KEY = object_key("a/seg")
LOCK = ObjectLock(LockMode.COMPLIANCE, 1_900_000_000_000)
UNTIL = "2030-03-17T17:46:40Z"


def configuration(inner: str) -> Answer:
    body = f"<ObjectLockConfiguration>{inner}</ObjectLockConfiguration>"
    return Answer(body=body.encode())


async def test_a_create_says_the_lock_and_the_checksum_that_it_needs() -> None:
    stored = Answer(headers={"x-amz-checksum-crc32c": checksum_text(crc32c(b"x"))})
    async with scripted_store(stored) as (store, server):
        await store.create_from_file(KEY, [b"x"], crc32c=crc32c(b"x"), lock=LOCK)
    headers = server.asked[0].headers
    assert headers["x-amz-object-lock-mode"] == "COMPLIANCE"
    assert headers["x-amz-object-lock-retain-until-date"] == UNTIL
    assert "x-amz-checksum-crc32c" in headers


async def test_an_upload_in_parts_says_the_lock_when_it_begins() -> None:
    refused = error(403, "AccessDenied")
    sizes = {"multipart_bytes_min": 1, "part_bytes": 5 << 20}
    async with scripted_store(refused, **sizes) as (store, server):
        with pytest.raises(StoreDeniedError):
            await store.create_from_file(KEY, [b"x"], crc32c=crc32c(b"x"), lock=LOCK)
    asked = server.asked[0]
    assert (asked.method, asked.path) == ("POST", "/everlog-tests/cold/a/seg?uploads")
    assert asked.headers["x-amz-object-lock-mode"] == "COMPLIANCE"
    assert asked.headers["x-amz-object-lock-retain-until-date"] == UNTIL


@pytest.mark.parametrize("mode", ["GOVERNANCE", "COMPLIANCE", "SOMETHING_NEWER", None])
async def test_a_head_tells_the_locks_that_are_known(mode: str | None) -> None:
    headers = {"Content-Length": "1", "Last-Modified": "Wed, 21 Oct 2026 07:28:00 GMT"}
    if mode is not None:
        headers |= {
            "x-amz-object-lock-mode": mode,
            "x-amz-object-lock-retain-until-date": UNTIL,
        }
    async with scripted_store(Answer(headers=headers)) as (store, _):
        found = (await store.head(KEY)).lock
    known = mode in LockMode.__members__
    assert found == (ObjectLock(LockMode[mode], LOCK.until_ms) if known and mode else None)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (configuration("<ObjectLockEnabled>Enabled</ObjectLockEnabled>"), True),
        (configuration(""), False),
        (error(404, "ObjectLockConfigurationNotFoundError"), False),
        (error(501, "NotImplemented"), False),
        (error(405, "MethodNotAllowed"), False),
    ],
)
async def test_a_bucket_is_asked_whether_it_locks(answer: Answer, *, expected: bool) -> None:
    async with scripted_store(answer) as (store, server):
        assert await store.can_lock() is expected
    assert server.asked[0].path == "/everlog-tests?object-lock"


async def test_who_may_not_ask_is_told_which_permission_it_takes() -> None:
    async with scripted_store(error(403, "AccessDenied")) as (store, _):
        with pytest.raises(StoreDeniedError, match="s3:GetBucketObjectLockConfiguration"):
            await store.can_lock()


async def test_a_store_that_does_not_answer_has_not_said_no() -> None:
    async with scripted_store(error(500, "InternalError")) as (store, _):
        with pytest.raises(StoreUnavailableError):
            await store.can_lock()
