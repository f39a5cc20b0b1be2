"""Finds out what a silent reading waits for, and says it once."""

import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

from service.app.cli.client_library import UNKNOWN_TOPIC, kafka
from service.app.cli.failure import fail

SILENCE_SECONDS = 5.0
ANSWER_SECONDS_MAX = 1.0
"""How long the cluster is asked; Ctrl-C has to wait for that."""


class Watch:
    """Asks the cluster whether it is there, when nothing has come for a while.

    Args:
        consumer: Of the reading.
        topic: What is read.
        bootstrap: Where the cluster is, for people.
        expects_records: Whether silence of a cluster that answers is worth a word, too.
        clock: Monotonic, in seconds.
    """

    def __init__(
        self,
        consumer: Any,
        *,
        topic: str,
        bootstrap: str,
        expects_records: bool,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._consumer = consumer
        self._topic = topic
        self._bootstrap = bootstrap
        self._expects_records = expects_records
        self._clock = clock
        self._quiet_since = clock()
        self._answers = 0
        self.is_cut_off = False
        """Whether the cluster did not answer when it was asked last."""

    def note(self, *, is_quiet: bool) -> None:
        """Take note of whether anything has come; end if the topic is gone."""
        if not is_quiet:
            self._quiet_since = self._clock()
            self._answers = 0
            self._say_it_goes_on()
        elif self._clock() - self._quiet_since >= SILENCE_SECONDS:
            self._ask()
            self._quiet_since = self._clock()

    def _ask(self) -> None:
        try:
            metadata = self._consumer.list_topics(self._topic, timeout=ANSWER_SECONDS_MAX)
        except kafka().KafkaException:
            if not self.is_cut_off:
                _say(f"waiting for {self._bootstrap}, which does not answer; Ctrl-C ends")
            self.is_cut_off = True
            return
        error = metadata.topics[self._topic].error
        if error is not None and error.code() == UNKNOWN_TOPIC:
            topic_gone(self._topic)
        self._say_it_goes_on()
        self._answers += 1
        if self._expects_records and self._answers == 2:  # noqa: PLR2004  (once is no delay yet)
            _say(f"waiting for records of {self._topic}; {self._bootstrap} answers, and sends none")

    def _say_it_goes_on(self) -> None:
        if self.is_cut_off:
            self.is_cut_off = False
            _say(f"{self._bootstrap} answers again")


def topic_gone(topic: str) -> NoReturn:
    """End: a topic was deleted while it was read."""
    fail(f"topic {topic} is gone: it was deleted while it was read", "")


def _say(text: str) -> None:
    print(f"everlog: {text}", file=sys.stderr, flush=True)
