"""Everlog is started with what the site wants and, last, with what the user wants."""

from pathlib import Path

from bench.peers.everlog import Everlog


def test_what_the_user_sets_holds_against_the_site() -> None:
    peer = Everlog(settings=["remote.cache.bytes=2"], tiered=False)
    command = list(peer.command(Path("data"), 9092, ["remote.cache.bytes=1"]))
    assert command[-4:] == ["--set", "remote.cache.bytes=1", "--set", "remote.cache.bytes=2"]


def test_its_archive_can_be_in_a_bucket() -> None:
    archive = Everlog(settings=[], tiered=False).archive
    assert archive is not None
    assert archive.at_url is not None
    assert archive.at_url("s3://bucket") == ["store.url=s3://bucket"]
