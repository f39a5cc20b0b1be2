"""What a bucket is set up to do with what is locked, and with what was deleted."""

import asyncio
from collections.abc import Mapping
from typing import Any

from everlog.stores.errors import StoreDeniedError
from everlog.stores.s3_settings import S3Settings
from service.app.cli.store_checks import Level, Verdict
from service.app.cli.store_site import StoreSite

_UNSET = frozenset(
    {
        "MethodNotAllowed",
        "NoSuchLifecycleConfiguration",
        "NotImplemented",
        "ObjectLockConfigurationNotFoundError",
    }
)
"""What a bucket answers that has no such configuration, or whose server knows none."""


async def object_lock(site: StoreSite) -> Verdict:
    """See whether objects can be locked."""
    if site.s3 is None:
        return Verdict(Level.OK, "objects in a directory cannot be locked")
    try:
        return await _lock_verdict(site, site.s3)
    except StoreDeniedError as error:
        return _unknown(error)


async def _lock_verdict(site: StoreSite, settings: S3Settings) -> Verdict:
    if not await site.store.can_lock():
        text = "the bucket has no Object Lock, so archive.object.lock.mode cannot be set"
        return Verdict(Level.OK, text)
    found = await _ask(settings, "get_object_lock_configuration")
    if "Rule" in found.get("ObjectLockConfiguration", {}):
        return Verdict(
            Level.DEGRADED,
            "the bucket locks every object by default, manifests included, which are replaced all"
            " the time and billed until then: remove its default retention, and set"
            " archive.object.lock.mode of topics instead",
        )
    return Verdict(Level.OK, "the bucket has Object Lock; archive.object.lock.mode can be set")


async def old_versions(site: StoreSite) -> Verdict:
    """See whether what is deleted from a bucket with versions ever goes."""
    if site.s3 is None:
        return Verdict(Level.OK, "not needed here")
    try:
        return await _version_verdict(site.s3)
    except StoreDeniedError as error:
        return _unknown(error)


async def _version_verdict(settings: S3Settings) -> Verdict:
    if (await _ask(settings, "get_bucket_versioning")).get("Status") != "Enabled":
        return Verdict(Level.OK, "the bucket keeps no old versions")
    rules = (await _ask(settings, "get_bucket_lifecycle_configuration")).get("Rules", ())
    if any(_removes_versions(rule, settings.prefix) for rule in rules):
        return Verdict(Level.OK, "a life-cycle rule of the bucket removes old versions")
    return Verdict(
        Level.DEGRADED,
        "the bucket keeps what is deleted as old versions, and bills them for ever: add a"
        " life-cycle rule with NoncurrentVersionExpiration and ExpiredObjectDeleteMarker",
    )


def _unknown(error: StoreDeniedError) -> Verdict:
    return Verdict(Level.DEGRADED, f"not known, these credentials may not ask: {error}")


def _removes_versions(rule: Mapping[str, Any], prefix: str) -> bool:
    narrowed = rule.get("Filter", {})
    narrowed = narrowed.get("And", narrowed)
    begins = narrowed.get("Prefix", rule.get("Prefix", ""))
    is_for_all = prefix.startswith(begins) and not narrowed.keys() - {"Prefix"}
    return rule["Status"] == "Enabled" and "NoncurrentVersionExpiration" in rule and is_for_all


async def _ask(settings: S3Settings, question: str) -> Mapping[str, Any]:
    """Return an answer about the bucket; nothing where it has no such configuration."""
    from botocore.exceptions import ClientError

    from everlog.stores.s3_client import s3_client
    from everlog.stores.s3_errors import translating

    def ask() -> Mapping[str, Any]:
        client = s3_client(settings)
        try:
            with translating(question, settings.bucket):
                try:
                    answer: Mapping[str, Any] = getattr(client, question)(Bucket=settings.bucket)
                except ClientError as error:
                    if error.response["Error"]["Code"] in _UNSET:
                        return {}
                    raise
        finally:
            client.close()
        return answer

    return await asyncio.get_running_loop().run_in_executor(None, ask)
