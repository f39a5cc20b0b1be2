import pytest

from everlog.stores.s3_client import s3_client
from everlog.stores.s3_settings import S3Settings
from tests.contract.object_stores import s3_session


@pytest.mark.parametrize(
    ("endpoint", "signs_bodies"),
    [(None, False), ("https://s3.example.com", False), ("http://127.0.0.1:1", True)],
)
def test_bodies_are_signed_where_tls_does_not_protect_them(
    *, endpoint: str | None, signs_bodies: bool
) -> None:
    client = s3_client(S3Settings(bucket="b", endpoint=endpoint), session=s3_session())
    assert client.meta.config.s3["payload_signing_enabled"] is signs_bodies
    client.close()


def test_a_client_waits_as_long_as_told_has_a_connection_a_thread_and_repeats_nothing() -> None:
    settings = S3Settings(
        bucket="b",
        region="eu-north-1",
        threads_max=7,
        reads_max=5,
        connect_timeout_s=1.5,
        read_timeout_s=2.5,
    )
    client = s3_client(settings, session=s3_session())
    config = client.meta.config
    assert client.meta.region_name == "eu-north-1"
    assert config.max_pool_connections == 12
    assert (config.connect_timeout, config.read_timeout) == (1.5, 2.5)
    assert config.retries["total_max_attempts"] == 1
    client.close()


@pytest.mark.parametrize(
    ("path_style", "host"), [(True, "s3.example.com"), (False, "bkt.s3.example.com")]
)
def test_the_bucket_is_in_the_path_or_in_the_host(*, path_style: bool, host: str) -> None:
    settings = S3Settings(
        bucket="bkt", endpoint="https://s3.example.com", region="r", path_style=path_style
    )
    client = s3_client(settings, session=s3_session())
    url = client.generate_presigned_url("get_object", Params={"Bucket": "bkt", "Key": "k"})
    assert url.startswith(f"https://{host}/")
    client.close()
