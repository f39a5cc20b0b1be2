from everlog.stores.s3_settings import S3Settings


def test_parts_are_of_a_size_that_s3_takes() -> None:
    settings = S3Settings(bucket="b")
    assert 5 << 20 <= settings.part_bytes <= 5 << 30
    assert settings.part_bytes <= settings.multipart_bytes_min <= 5 << 30


def test_a_send_may_stall_longer_than_a_disk_does() -> None:
    # urllib3 gives each write to a socket the time of a connect.
    assert S3Settings(bucket="b").connect_timeout_s >= 5.0
