"""How fast a store is: small objects one by one, and one large one."""

from collections.abc import Awaitable, Sequence

from everlog.stores.object_store import ObjectStore
from service.app.cli.store_checks import Level, Verdict
from service.app.cli.store_site import StoreSite

SMALL_BYTES = 1 << 10
LARGE_BYTES = 16 << 20
PUT_SECONDS_MAX = 1.0
"""A commit waits for two small PUTs, one after the other."""

_MB = 1_000_000


async def small_objects(site: StoreSite) -> Verdict:
    """Time small objects, as manifests are."""
    body = bytes(SMALL_BYTES)
    keys = [site.key(f"small/{number}") for number in range(site.samples)]
    puts = [await _timed(site, site.raw.create(key, body)) for key in keys]
    gets = [await _timed(site, site.raw.read(key, 0, SMALL_BYTES)) for key in keys]
    text = f"PUT {_percentiles(puts)}, GET {_percentiles(gets)}"
    if _at(puts, 0.99) <= PUT_SECONDS_MAX:
        return Verdict(Level.OK, text)
    return Verdict(
        Level.DEGRADED, f"{text}; the archive lags behind, and nothing else waits for it"
    )


async def large_object(site: StoreSite) -> Verdict:
    """Time one object of the size of a small segment."""
    body, key = bytes(LARGE_BYTES), site.key("large")
    put = await _timed(site, site.raw.create(key, body))
    get = await _timed(site, _read_all(site.raw, site, LARGE_BYTES))
    rates = (LARGE_BYTES / _MB / max(each, 1e-9) for each in (put, get))
    up, down = (f"{rate:,.0f} MB/s" for rate in rates)
    return Verdict(Level.OK, f"one object of 16 MiB: PUT {up}, GET {down}")


async def _read_all(store: ObjectStore, site: StoreSite, size: int) -> None:
    await store.read_all(site.key("large"), size_max=size)


async def _timed(site: StoreSite, call: Awaitable[object]) -> float:
    began = site.clock.monotonic()
    await call
    return site.clock.monotonic() - began


def _percentiles(seconds: Sequence[float]) -> str:
    return f"p50 {_at(seconds, 0.5) * 1000:,.1f} ms p99 {_at(seconds, 0.99) * 1000:,.1f} ms"


def _at(seconds: Sequence[float], share: float) -> float:
    """Return the value that a share of all do not exceed."""
    return sorted(seconds)[min(len(seconds) - 1, int(share * len(seconds)))]
