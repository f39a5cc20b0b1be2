"""Metrics in Prometheus's format, read from where the numbers already are when somebody asks.

Nothing is counted twice and nothing is counted by a library on the hot path: sources hand out plain
numbers. The library that writes them is loaded when the page is first asked for.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class MetricKind(Enum):
    """What can be done with the numbers of a metric."""

    COUNTER = "counter"
    GAUGE = "gauge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric with its numbers.

    Attributes:
        name: Without ``_total``, which the page adds to counters.
        label: Name of its only label; None if it has none.
        values: By the label's value; ``""`` is the key of a metric without a label.
    """

    kind: MetricKind
    name: str
    help_text: str
    label: str | None
    values: Mapping[str, float]


Source = Callable[[], Iterable[Metric]]
"""Gives the metrics of one part of the server, as they are now."""


def counter(name: str, help_text: str, value: float) -> Metric:
    """Make a counter without labels; ``_total`` is added to its name."""
    return counters(name, help_text, None, {"": value})


def gauge(name: str, help_text: str, value: float) -> Metric:
    """Make a gauge without labels."""
    return gauges(name, help_text, None, {"": value})


def counters(name: str, help_text: str, label: str | None, values: Mapping[str, float]) -> Metric:
    """Make a counter for each value of a label, which come from a small fixed set."""
    return Metric(
        kind=MetricKind.COUNTER, name=name, help_text=help_text, label=label, values=values
    )


def gauges(name: str, help_text: str, label: str | None, values: Mapping[str, float]) -> Metric:
    """Make a gauge for each value of a label, which come from a small fixed set."""
    return Metric(kind=MetricKind.GAUGE, name=name, help_text=help_text, label=label, values=values)


class Metrics:
    """The metrics page of one process."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self._sources = tuple(sources)
        self._registry: CollectorRegistry | None = None

    def page(self) -> bytes:
        """Render every source."""
        from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415  (60 ms)

        if self._registry is None:
            self._registry = CollectorRegistry()
            self._registry.register(_Collector(self._sources))
        return generate_latest(self._registry)


class _Collector:
    """What the library asks (its ``Collector``, by shape)."""

    def __init__(self, sources: tuple[Source, ...]) -> None:
        self._sources = sources

    def collect(self) -> Iterator[Any]:
        for source in self._sources:
            yield from map(_family, source())


def _family(metric: Metric) -> Any:
    from prometheus_client.core import (  # noqa: PLC0415  (as above)
        CounterMetricFamily,
        GaugeMetricFamily,
    )

    make = CounterMetricFamily if metric.kind is MetricKind.COUNTER else GaugeMetricFamily
    labels = [] if metric.label is None else [metric.label]
    family = make(metric.name, metric.help_text, labels=labels)
    for value, number in metric.values.items():
        family.add_metric([value] if labels else [], number)
    return family
