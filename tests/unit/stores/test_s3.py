from pathlib import Path

import pytest

from everlog.stores.object_key import object_key
from everlog.stores.s3 import S3ObjectStore
from everlog.stores.s3_settings import S3Settings


async def test_opening_a_bucket_sends_no_request_and_needs_no_credentials(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    store = S3ObjectStore(
        S3Settings(bucket="b", endpoint="http://127.0.0.1:1", region="us-east-1", path_style=True)
    )
    assert store.local_path(object_key("a")) is None
    await store.close()
