from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from service.app.cli.watch import SILENCE_SECONDS, Watch


class _Topic:
    def __init__(self, error: KafkaError | None) -> None:
        self.error = error


class _Metadata:
    def __init__(self, error: KafkaError | None) -> None:
        self.topics = {"t": _Topic(error)}


class _Consumer:
    """Answers with an error of the topic, or not at all."""

    def __init__(self) -> None:
        self.is_dead = False
        self.error: KafkaError | None = None

    def list_topics(self, topic: str, timeout: float) -> Any:
        assert (topic, timeout > 0) == ("t", True)
        if self.is_dead:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        return _Metadata(self.error)


class _Reading:
    """A watch over a consumer, in a time of its own."""

    def __init__(self, *, expects_records: bool = False) -> None:
        self.now = 0.0
        self.consumer = _Consumer()
        self.watch = Watch(
            self.consumer,
            topic="t",
            bootstrap="b:1",
            expects_records=expects_records,
            clock=lambda: self.now,
        )

    def is_silent(self) -> None:
        self.now += SILENCE_SECONDS
        self.watch.note(is_quiet=True)


def test_a_dead_cluster_is_named_once_and_so_is_its_return(
    capsys: pytest.CaptureFixture[str],
) -> None:
    reading = _Reading()
    reading.consumer.is_dead = True
    reading.is_silent()
    reading.is_silent()
    assert reading.watch.is_cut_off
    assert capsys.readouterr().err == (
        "everlog: waiting for b:1, which does not answer; Ctrl-C ends\n"
    )
    reading.consumer.is_dead = False
    reading.is_silent()
    assert not reading.watch.is_cut_off
    assert capsys.readouterr().err == "everlog: b:1 answers again\n"


def test_records_are_an_answer_too(capsys: pytest.CaptureFixture[str]) -> None:
    reading = _Reading()
    reading.consumer.is_dead = True
    reading.is_silent()
    reading.watch.note(is_quiet=False)
    assert capsys.readouterr().err.endswith("everlog: b:1 answers again\n")


def test_a_short_silence_is_not_asked_about() -> None:
    reading = _Reading()
    reading.consumer.is_dead = True
    reading.now += SILENCE_SECONDS / 2
    reading.watch.note(is_quiet=True)
    assert not reading.watch.is_cut_off


def test_a_topic_that_is_gone_ends_the_reading(capsys: pytest.CaptureFixture[str]) -> None:
    reading = _Reading()
    reading.consumer.error = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)
    with pytest.raises(SystemExit) as ended:
        reading.is_silent()
    assert ended.value.code == 1
    assert "topic t is gone" in capsys.readouterr().err


@pytest.mark.parametrize("expects_records", [True, False])
def test_silence_of_a_cluster_that_answers_is_told_where_records_are_due(
    capsys: pytest.CaptureFixture[str], *, expects_records: bool
) -> None:
    reading = _Reading(expects_records=expects_records)
    for _ in range(4):
        reading.is_silent()
    told = capsys.readouterr().err.count("waiting for records of t")
    assert told == (1 if expects_records else 0)
