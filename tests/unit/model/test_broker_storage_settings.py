import pytest

from service.model.broker_settings import BROKER_SETTINGS
from service.model.config_definition import InvalidConfigError


@pytest.mark.parametrize(
    "url",
    [
        "file:///var/lib/everlog/store",
        "file://./everlog-data/store",
        "s3://bucket",
        "s3://bucket/prefix?endpoint=http://127.0.0.1:9000&region=eu-west-1&path_style=true",
    ],
)
def test_directories_and_buckets_are_taken_as_stores(url: str) -> None:
    assert BROKER_SETTINGS["store.url"].parse(url) == url


@pytest.mark.parametrize("url", ["", "s3://", "file://", "gs://bucket", "s3://["])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(InvalidConfigError, match="write file:///directory or s3://bucket/prefix"):
        BROKER_SETTINGS["store.url"].parse(url)


def test_a_path_is_told_the_url_that_it_would_be() -> None:
    with pytest.raises(InvalidConfigError, match="write file:///srv/an%20archive or s3://"):
        BROKER_SETTINGS["store.url"].parse("/srv/an archive")


def test_credentials_do_not_belong_into_a_url() -> None:
    with pytest.raises(InvalidConfigError, match="leave credentials out") as caught:
        BROKER_SETTINGS["store.url"].parse("s3://AKIA123:hunter2@bucket")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "/a,/b"])
def test_a_broker_has_one_directory(text: str) -> None:
    with pytest.raises(InvalidConfigError, match="write one directory"):
        BROKER_SETTINGS["data.dir"].parse(text)


def test_a_share_of_the_disk_without_its_sign_is_refused() -> None:
    with pytest.raises(InvalidConfigError, match="write a share such as 80%"):
        BROKER_SETTINGS["log.local.disk.high"].parse("80")


def test_a_rate_of_nothing_is_refused() -> None:
    setting = BROKER_SETTINGS["remote.upload.bytes.per.second"]
    assert setting.parse("-1") == -1
    with pytest.raises(InvalidConfigError, match="write -1 for no limit"):
        setting.parse("0")
