from service.telemetry.metrics import Metrics, counter, counters, gauge, gauges

PAGE = """\
# HELP everlog_requests_total Requests of clients.
# TYPE everlog_requests_total counter
everlog_requests_total{api="fetch"} 2.0
everlog_requests_total{api="produce"} 1.0
# HELP everlog_topics Topics.
# TYPE everlog_topics gauge
everlog_topics 4.0
"""


def test_the_page_is_in_the_format_of_prometheus() -> None:
    values = {"fetch": 2.0, "produce": 1.0}
    requests = counters("everlog_requests", "Requests of clients.", "api", values)
    page = Metrics([lambda: [requests, gauge("everlog_topics", "Topics.", 4)]]).page()
    assert page.decode() == PAGE


def test_every_page_has_the_numbers_of_its_moment() -> None:
    seen = [0]

    def source() -> list[object]:
        seen[0] += 1
        return [counter("everlog_scrapes", "Scrapes.", seen[0])]

    metrics = Metrics([source])  # type: ignore[list-item]
    pages = [metrics.page() for _ in range(2)]
    assert pages[0] != pages[1]


def test_a_metric_without_any_value_keeps_its_help() -> None:
    page = Metrics([lambda: [gauges("everlog_groups", "Groups.", "state", {})]]).page()
    assert page == b"# HELP everlog_groups Groups.\n# TYPE everlog_groups gauge\n"
