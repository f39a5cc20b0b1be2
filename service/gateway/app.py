"""What the gateway answers until its own work comes: whether the cluster is there."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from html import escape

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from service.telemetry.metrics import CONTENT_TYPE, Metrics


@dataclass(frozen=True, slots=True)
class Standing:
    """How the cluster is, for people.

    Attributes:
        text: Lines; where it is not ready they say why.
    """

    is_ready: bool
    text: str


CheckCluster = Callable[[], Awaitable[Standing]]

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Everlog</title>
<style>
  body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto }}
  code {{ background: #8881; padding: .1em .3em; border-radius: .2em }}
</style>
<h1>Everlog</h1>
<p>{state}</p>
<p>Kafka clients connect to <code>{bootstrap}</code>:</p>
<pre><code>kcat -b {bootstrap} -L</code></pre>
<p><a href="/metrics">metrics</a> &middot; <a href="/readyz">readiness</a></p>
</html>
"""


def build_app(*, bootstrap: str, check_cluster: CheckCluster, metrics: Metrics) -> Starlette:
    """Make the application.

    Args:
        bootstrap: Where Kafka clients connect, ``host:port``.
        check_cluster: Asked for each page that says how things are.
        metrics: Of this process.
    """

    async def front(_request: Request) -> Response:
        standing = await check_cluster()
        state = standing.text.removeprefix("ok").strip() or "The cluster is serving."
        return HTMLResponse(_PAGE.format(state=escape(state), bootstrap=escape(bootstrap)))

    async def ready(_request: Request) -> Response:
        standing = await check_cluster()
        return PlainTextResponse(standing.text, status_code=200 if standing.is_ready else 503)

    async def live(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def measures(_request: Request) -> Response:
        return Response(metrics.page(), headers={"content-type": CONTENT_TYPE})

    return Starlette(
        routes=[
            Route("/", front),
            Route("/livez", live),
            Route("/readyz", ready),
            Route("/metrics", measures),
        ]
    )
