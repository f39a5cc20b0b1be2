"""Metrics in Prometheus's format, read from where the numbers already are when somebody asks.

Nothing is counted twice and nothing is counted by a library on the hot path: sources hand out plain
    numbers.
"""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Source = Callable[[], Iterable[Metric]]
"""Gives the metrics of one part of the server, as they are now."""


def counter(name: str, help_text: str, value: float) -> Metric:
    """Make a counter without labels; ``_total`` is added to its name."""
    return CounterMetricFamily(name, help_text, value=value)


def gauge(name: str, help_text: str, value: float) -> Metric:
    """Make a gauge without labels."""
    return GaugeMetricFamily(name, help_text, value=value)


class _Sources(Collector):
    def __init__(self, sources: Iterable[Source]) -> None:
        self._sources = tuple(sources)

    @override
    def collect(self) -> Iterator[Metric]:
        for source in self._sources:
            yield from source()


class Metrics:
    """The metrics page of one process."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Sources(sources))

    def page(self) -> bytes:
        """Render every source."""
        return generate_latest(self._registry)
