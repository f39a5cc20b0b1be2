import subprocess
import sys
from pathlib import Path

import pytest

from everlog.model.errors import RejectedError
from everlog.stores.filesystem import FilesystemObjectStore
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.s3 import S3ObjectStore
from everlog.stores.s3_settings import S3Settings
from everlog.stores.url import (
    DirectoryLocation,
    MemoryLocation,
    StoreLocation,
    absolute_url,
    open_store,
    parse_store_url,
)
from tests.contract.object_stores import SteadyClock


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("file:///var/lib/everlog/cold", DirectoryLocation("/var/lib/everlog/cold")),
        ("file://localhost/cold", DirectoryLocation("/cold")),
        ("file://cold", DirectoryLocation("cold")),
        ("file://cold/deep", DirectoryLocation("cold/deep")),
        ("file://./cold", DirectoryLocation("./cold")),
        ("file:///with%20space", DirectoryLocation("/with space")),
        ("memory://", MemoryLocation()),
        ("s3://bucket", S3Settings(bucket="bucket")),
        ("s3://bucket/", S3Settings(bucket="bucket")),
        ("s3://bucket/a/b/", S3Settings(bucket="bucket", prefix="a/b/")),
        (
            "s3://bucket/a?endpoint=http://127.0.0.1:9000&region=eu-north-1",
            S3Settings(
                bucket="bucket",
                prefix="a/",
                endpoint="http://127.0.0.1:9000",
                region="eu-north-1",
                path_style=True,
            ),
        ),
        (
            "s3://bucket?endpoint=https%3A%2F%2Fs3.example.com&path_style=false",
            S3Settings(bucket="bucket", endpoint="https://s3.example.com", path_style=False),
        ),
        ("s3://bucket?path_style=true", S3Settings(bucket="bucket", path_style=True)),
        ("s3://bucket?timeout_s=5", S3Settings(bucket="bucket", read_timeout_s=5)),
        (
            "s3://bucket?part_bytes=5242880",
            S3Settings(bucket="bucket", part_bytes=5 << 20, multipart_bytes_min=10 << 20),
        ),
    ],
)
def test_a_url_names_a_place(url: str, location: StoreLocation) -> None:
    assert parse_store_url(url) == location


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "use file:///dir, s3://bucket/prefix"),
        ("/var/lib/a cold one", "write file:///var/lib/a%20cold%20one$"),
        ("cold", f"write file://{Path.cwd()}/cold$"),
        ("gs://bucket", "gs:// is no kind of store: use file:///dir"),
        ("s3://[", "is not a URL"),
        ("file://", "file:// needs a directory"),
        ("file:///cold?fsync=false", "'fsync' is not an option .* file:// takes no options"),
        ("memory://x", "takes nothing behind it"),
        ("s3://", "needs the name of a bucket"),
        ("s3:///prefix", "needs the name of a bucket"),
        ("s3://host:9000/bucket", "no port"),
        ("s3://bucket/a:b", "cannot name an object"),
        ("s3://bucket/../x", "cannot name an object"),
        ("s3://bucket?region", "region= .* needs one value"),
        ("s3://bucket?region=a&region=b", "region= .* needs one value"),
        ("s3://bucket?regoin=a", "'regoin' is not an option .* endpoint, region, path_style"),
        ("s3://bucket?timeout_s=0", "timeout_s= .* is from 1 to 600, not '0'"),
        ("s3://bucket?part_bytes=1MiB", "part_bytes= .* is from 5242880 to"),
        ("s3://bucket?path_style=yes", "path_style= .* is true or false, not 'yes'"),
        ("s3://bucket?endpoint=127.0.0.1:9000", "endpoint= takes the http"),
        ("s3://bucket?endpoint=ftp://host", "endpoint= takes the http"),
        ("s3://bucket#frag", "write %23"),
    ],
)
def test_a_url_that_names_no_place_says_what_would(url: str, says: str) -> None:
    with pytest.raises(RejectedError, match=says):
        parse_store_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "s3://AKIA:hunter2@bucket/prefix",
        "s3://hunter2@bucket",
        "s3://bucket?endpoint=http://AKIA:hunter2@host:9000",
    ],
)
def test_credentials_in_a_url_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(RejectedError, match="must not hold credentials") as caught:
        parse_store_url(url)
    assert "hunter2" not in str(caught.value)


async def test_a_url_opens_its_store(tmp_path: Path) -> None:
    for url, kind in [
        (f"file://{tmp_path}/cold", FilesystemObjectStore),
        ("memory://", MemoryObjectStore),
        ("s3://bucket?endpoint=http://127.0.0.1:1&region=us-east-1", S3ObjectStore),
    ]:
        store = open_store(url, clock=SteadyClock())
        assert isinstance(store, kind)
        await store.close()


def test_an_absolute_url_means_the_same_in_every_working_directory(tmp_path: Path) -> None:
    here = str(Path.cwd())
    assert absolute_url("file://a b/c") == f"file://{here}/a b/c".replace(" ", "%20")
    assert absolute_url(f"file://{tmp_path}/x/../y/") == f"file://{tmp_path}/y"
    assert absolute_url("file://localhost/a%3Fb") == "file:///a%3Fb"
    for url in ("memory://", "s3://bucket/p?region=r"):
        assert absolute_url(url) == url


def test_nothing_but_s3_loads_boto3() -> None:
    program = (
        "import sys, everlog.stores.url, everlog.stores.retrying, everlog.stores.s3_settings\n"
        "print([name for name in sys.modules if 'boto' in name])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert run.stdout == "[]\n"
