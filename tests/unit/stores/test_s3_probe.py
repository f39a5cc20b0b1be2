"""Probing S3-compatible stores, the poor ones too."""

import pytest
from crc32c import crc32c

from everlog.stores.errors import ObjectExistsError, StoreDeniedError, StoreUnavailableError
from everlog.stores.object_key import object_key
from everlog.stores.object_store import StoreCapabilities
from everlog.stores.s3_checksum import checksum_text
from everlog.stores.s3_probe import PROBE_BODY
from tests.unit.stores.scripted_s3 import Answer, error, scripted_store
from tests.unit.stores.test_s3_objects import head

KEY = object_key("probe")
DELETED = Answer(body=b"<DeleteResult/>")
OK = Answer()
PROBE_CHECKSUM = checksum_text(crc32c(PROBE_BODY))


@pytest.mark.rule("TIER-17")
@pytest.mark.parametrize("second_create", [OK, error(501, "NotImplemented")])
async def test_a_store_without_conditions_is_looked_at_before_each_create(
    second_create: Answer,
) -> None:
    script = (DELETED, OK, second_create, OK, OK, head(13), DELETED)
    later = (head(3), Answer(status=404), Answer(), head(3))
    async with scripted_store(*script, *later) as (store, server):
        assert await store.probe(KEY) == StoreCapabilities(
            creates_exclusively=False, verifies_checksums=False, keeps_checksums=False
        )
        with pytest.raises(ObjectExistsError):
            await store.create(KEY, b"new")
        await store.create(KEY, b"new")
    assert [asked.method for asked in server.asked[7:]] == ["HEAD", "HEAD", "PUT", "HEAD"]
    assert "If-None-Match" not in server.asked[9].headers


async def test_a_good_store_is_seen_to_be_one() -> None:
    script = (
        DELETED,
        OK,
        error(412, "PreconditionFailed"),
        error(400, "BadDigest"),
        OK,
        head(13, **{"x-amz-checksum-crc32c": PROBE_CHECKSUM}),
        DELETED,
    )
    async with scripted_store(*script) as (store, _):
        assert await store.probe(KEY) == StoreCapabilities(
            creates_exclusively=True, verifies_checksums=True, keeps_checksums=True
        )


async def test_a_bucket_that_cannot_be_used_is_reported() -> None:
    async with scripted_store(error(404, "NoSuchBucket")) as (store, _):
        with pytest.raises(StoreDeniedError, match="create the bucket"):
            await store.probe(KEY)
    async with scripted_store(DELETED, OK, error(403, "AccessDenied")) as (store, _):
        with pytest.raises(StoreDeniedError, match="s3:PutObject"):
            await store.probe(KEY)


@pytest.mark.rule("TIER-9")
async def test_a_store_that_does_not_show_what_it_has_taken_is_asked_again() -> None:
    script = (DELETED, OK, error(412, "PreconditionFailed"), error(400, "BadDigest"), OK)
    async with scripted_store(*script, Answer(status=404)) as (store, _):
        with pytest.raises(StoreUnavailableError, match="does not show it yet"):
            await store.probe(KEY)
    async with scripted_store(OK, Answer(status=404)) as (store, _):
        with pytest.raises(StoreUnavailableError, match="does not show it yet"):
            await store.create(KEY, b"new")
