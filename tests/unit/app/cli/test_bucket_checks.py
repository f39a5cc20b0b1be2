"""What the doctor says of locks and old versions, on moto."""

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

import pytest

from everlog.stores.s3_client import s3_client
from service.app.cli.bucket_checks import object_lock, old_versions
from service.app.cli.store_checks import Check, Level, Verdict, verdict_of
from service.app.cli.store_site import store_site
from service.app.system import SystemClock, SystemIds
from tests.contract.object_stores import ACCESS_KEY, SECRET_KEY, s3_session, s3_settings

NAMES = (f"doctor-{number}" for number in count())
EXPIRY = {"NoncurrentVersionExpiration": {"NoncurrentDays": 1}}


class Made:
    """Buckets of a server."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.client = s3_client(s3_settings(endpoint), session=s3_session())

    def bucket(self, *, locks: bool) -> str:
        name = next(NAMES)
        self.client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=locks)
        return name

    def rule(self, name: str, **rule: Any) -> None:
        self.client.put_bucket_lifecycle_configuration(
            Bucket=name, LifecycleConfiguration={"Rules": [{"ID": "tidy", **rule}]}
        )

    async def verdict(self, check: Check, name: str) -> Verdict:
        url = f"s3://{name}/deep/down?endpoint={self.endpoint}&region=us-east-1"
        place = store_site(url, clock=SystemClock(), ids=SystemIds(), keys=1, samples=1)
        async with place as site:
            return await verdict_of(check, site)


@pytest.fixture
def made(moto: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    buckets = Made(moto)
    yield buckets
    buckets.client.close()


@pytest.mark.parametrize("locks", [True, False])
async def test_the_doctor_says_whether_objects_can_be_locked(made: Made, *, locks: bool) -> None:
    verdict = await made.verdict(object_lock, made.bucket(locks=locks))
    assert verdict.level is Level.OK
    assert ("can be set" in verdict.text) is locks


async def test_a_bucket_that_locks_all_by_default_would_keep_every_manifest(made: Made) -> None:
    name = made.bucket(locks=True)
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
    made.client.put_object_lock_configuration(
        Bucket=name,
        ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule},
    )
    verdict = await made.verdict(object_lock, name)
    assert verdict.level is Level.DEGRADED
    assert "remove its default retention" in verdict.text


async def test_a_bucket_that_keeps_what_is_deleted_for_ever_is_told(made: Made) -> None:
    verdict = await made.verdict(old_versions, made.bucket(locks=True))
    assert verdict.level is Level.DEGRADED
    assert "NoncurrentVersionExpiration" in verdict.text


async def test_a_bucket_without_versions_keeps_none(made: Made) -> None:
    verdict = await made.verdict(old_versions, made.bucket(locks=False))
    assert verdict == Verdict(Level.OK, "the bucket keeps no old versions")


@pytest.mark.parametrize(
    ("rule", "level"),
    [
        ({"Status": "Enabled", "Filter": {"Prefix": ""}, **EXPIRY}, Level.OK),
        ({"Status": "Enabled", "Filter": {"Prefix": "deep/"}, **EXPIRY}, Level.OK),
        ({"Status": "Enabled", "Filter": {"Prefix": "elsewhere/"}, **EXPIRY}, Level.DEGRADED),
        ({"Status": "Disabled", "Filter": {"Prefix": ""}, **EXPIRY}, Level.DEGRADED),
        (
            {"Status": "Enabled", "Filter": {"Tag": {"Key": "a", "Value": "b"}}, **EXPIRY},
            Level.DEGRADED,
        ),
        (
            {"Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 9}},
            Level.DEGRADED,
        ),
    ],
)
async def test_only_a_rule_that_removes_all_old_versions_counts(
    made: Made, rule: Mapping[str, Any], level: Level
) -> None:
    name = made.bucket(locks=True)
    made.rule(name, **rule)
    assert (await made.verdict(old_versions, name)).level is level
