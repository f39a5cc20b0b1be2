"""``everlog tier scrub``: how far the broker's look at its archived objects has come, and now."""

import time
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from service.app.cli.client_library import Admin, kafka_admin
from service.app.cli.connection import (
    BOOTSTRAP_DEFAULT,
    BootstrapOption,
    connect_admin,
    kafka_errors,
    wall_ms,
)
from service.app.cli.failure import FAILURE_STATUS, fail
from service.app.cli.output import Output, OutputOption, show_json
from service.app.cli.progress import Progress
from service.app.cli.scrub_facts import (
    MetricsOption,
    Scrub,
    find_page,
    read_page,
    samples_of,
    scrub_text,
)
from service.app.cli.sizes import plural, size_text
from service.app.cli.times import age_text, instant_text
from service.app.cli.topic_identity import broker_settings
from service.app.cli.topic_options import read_cluster

WATCH_SECONDS = 0.5
"""Between two looks at the broker's page."""

BEGIN_SECONDS_MAX = 30.0
"""How long a broker may take to begin a round; its clock may be behind ours."""

SILENCE_SECONDS_MAX = 60.0
"""How long its page may be silent before nobody waits any more."""

_ADDRESS_IN_LOG = "broker_ready in the broker's log has the address"

SINCE = "archive.scrub.since.ms"
_BYTES_PER_DAY, _ROUND_MS = "archive.scrub.bytes.per.day", "archive.scrub.round.ms"


@dataclass(frozen=True, slots=True)
class _Scene:
    """A broker, and what it says of itself."""

    admin: Admin
    metadata: Any
    settings: dict[str, str | None]
    metrics: str | None

    def scrub(self) -> Scrub:
        """Return what its scrubber has seen; end if nobody can tell."""
        found = self.scrub_or_none()
        if found is None:
            fail(
                f"{self.page()} does not answer as the metrics of a broker",
                f"{_ADDRESS_IN_LOG}; the port of everlog dev --http-port is another one",
            )
        return found

    def scrub_or_none(self) -> Scrub | None:
        text = read_page(self.page())
        return None if text is None else samples_of(text)

    def page(self) -> str:
        """Return where the broker's metrics are; end if nobody tells."""
        page = find_page(self.settings, url=self.metrics)
        if page is None:
            fail(
                "the broker serves its metrics at a free port, and does not tell which",
                "start it (everlog dev or everlog broker) with --set admin.port=PORT, or say "
                f"--metrics http://HOST:PORT/metrics: {_ADDRESS_IN_LOG}",
            )
        return page


def scrub(
    *,
    now: Annotated[
        bool, typer.Option("--now", help="Have every archived object read, in a round of its own.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Wait for the end of the round that was asked for.")
    ] = False,
    metrics: MetricsOption = None,
    bootstrap: BootstrapOption = BOOTSTRAP_DEFAULT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show how far the broker's scrubber is, what it has found, or have it go round now.

    Exits with 1 if an object is missing or unsound.
    """
    with kafka_errors(bootstrap):
        admin = connect_admin(bootstrap)
        metadata = read_cluster(admin)
        settings = broker_settings(admin, metadata)
        scene = _Scene(admin, metadata, settings, metrics)
        if settings.get(_BYTES_PER_DAY) == "0":
            fail("scrubbing is turned off", f"start the broker with {_BYTES_PER_DAY} above 0")
        before = scene.scrub() if watch or not now else {}
        since_ms = _ask(scene) if now else _asked_ms(before)
        if watch:
            _wait(scene, since_ms)
        if now and not watch:
            _show_asked(since_ms, output)
            return
        found = scene.scrub()
    _show(found, settings, output)
    if found.get("missing_objects") or found.get("unsound_objects"):
        raise SystemExit(FAILURE_STATUS)


def _ask(scene: _Scene) -> int:
    """Ask every broker for a round; return the time that tells it from others."""
    since_ms = wall_ms()
    entry = kafka_admin().ConfigEntry(
        SINCE, str(since_ms), incremental_operation=kafka_admin().AlterConfigOpType.SET
    )
    for broker in sorted(scene.metadata.brokers):
        resource = kafka_admin().ConfigResource(
            kafka_admin().ResourceType.BROKER, str(broker), incremental_configs=[entry]
        )
        for future in scene.admin.incremental_alter_configs([resource]).values():
            future.result()
    return since_ms


def _wait(scene: _Scene, since_ms: int) -> None:
    """Wait for the end of a round; end if it will not come."""
    if not since_ms:
        fail("no round was asked for since the broker's start", "add --now")
    began = answered = time.perf_counter()
    with Progress("scrubbing", has_end=True) as progress:
        while True:
            found = scene.scrub_or_none()
            at = time.perf_counter()
            if found is None:
                if at - answered > SILENCE_SECONDS_MAX:
                    fail("the broker's /metrics page does not answer any more", "see its log")
            else:
                answered = at
                if _is_over(found, since_ms, seconds=at - began):
                    return
                size = found.get("asked_bytes", 0)
                facts = plural(int(found.get("asked_objects", 0)), "object")
                progress.draw(facts, done=_ratio(found), total=1, size=int(size))
            time.sleep(WATCH_SECONDS)


def _is_over(found: Scrub, since_ms: int, *, seconds: float) -> bool:
    latest = _asked_ms(found)
    if latest >= since_ms:
        return _ratio(found) >= 1
    if seconds > BEGIN_SECONDS_MAX:
        fail(
            "the broker has not begun the round, or has started anew in the middle of it",
            "see its log (asked_scrub_begins), compare its clock, and ask again",
        )
    return False


def _asked_ms(found: Scrub) -> int:
    return round(found.get("asked_timestamp_seconds", 0) * 1000)


def _ratio(found: Scrub) -> float:
    return found.get("asked_ratio", 0.0)


def scrub_facts(found: Scrub, settings: dict[str, str | None]) -> dict[str, Any]:
    """Return what a scrubber has seen as facts for scripts."""
    asked_ms = _asked_ms(found)
    round_ms = int(settings.get(_ROUND_MS) or 0)
    return {
        "round_ratio": found.get("round_ratio", 0.0),
        "round_ends_in_ms": int(round_ms * (1 - found.get("round_ratio", 0.0))),
        "looks": int(found.get("objects_total", 0)),
        "read_objects": int(found.get("read_objects_total", 0)),
        "read_bytes": int(found.get("read_bytes_total", 0)),
        "missing_objects": int(found.get("missing_objects", 0)),
        "unsound_objects": int(found.get("unsound_objects", 0)),
        "asked_ms": asked_ms or None,
        "asked_ratio": _ratio(found) if asked_ms else None,
        "asked_objects": int(found.get("asked_objects", 0)),
        "asked_bytes": int(found.get("asked_bytes", 0)),
    }


def _show_asked(since_ms: int, output: Output) -> None:
    if output is Output.JSON:
        show_json({"asked_ms": since_ms})
        return
    print(f"asked for a round at {instant_text(since_ms)}; follow it: everlog tier scrub --watch")


def _show(found: Scrub, settings: dict[str, str | None], output: Output) -> None:
    facts = scrub_facts(found, settings)
    if output is Output.JSON:
        show_json(facts)
        return
    print(f"Found    {scrub_text(found)}")
    print(
        f"Round    {int(100 * facts['round_ratio'])}% over, "
        f"ends in {age_text(facts['round_ends_in_ms'])}"
    )
    print(f"Asked    {_asked_text(facts)}")


def _asked_text(facts: dict[str, Any]) -> str:
    if facts["asked_ms"] is None:
        return "no round since the broker's start; everlog tier scrub --now asks for one"
    read = f"{plural(facts['asked_objects'], 'object')}, {size_text(facts['asked_bytes'])}"
    state = "over" if facts["asked_ratio"] >= 1 else f"{facts['asked_ratio']:.0%} over"
    return f"the round of {instant_text(facts['asked_ms'])} is {state}, {read} read"
