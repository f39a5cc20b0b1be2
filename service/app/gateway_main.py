"""Entry point of the gateway process: ``python -m service.app.gateway_main``.

Whoever starts it hands over a bound socket and a pipe; when the pipe closes, its owner is gone, and
the gateway goes too.
"""

import argparse
import asyncio
import os
import socket
from functools import partial

import uvicorn

from service.app.process_metrics import process_metrics
from service.app.system import SystemClock
from service.gateway.app import Standing, build_app
from service.telemetry.library_logs import LibraryLogs
from service.telemetry.logs import configure_logs
from service.telemetry.metrics import Metrics

CHECK_SECONDS_MAX = 2.0


def main() -> None:
    """Serve until the owner's pipe closes or a signal comes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--socket-fd", type=int, required=True)
    parser.add_argument("--owner-fd", type=int, required=True)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--admin", required=True, help="where the broker's own pages are")
    parser.add_argument("--log-level", required=True)
    parser.add_argument("--log-format", required=True)
    arguments = parser.parse_args()
    configure_logs(level=arguments.log_level, form=arguments.log_format)
    LibraryLogs(SystemClock().monotonic).take("uvicorn")
    asyncio.run(_serve(arguments))


async def _serve(arguments: argparse.Namespace) -> None:
    app = build_app(
        bootstrap=arguments.bootstrap,
        check_cluster=partial(_ask_broker, arguments.admin),
        metrics=Metrics([process_metrics]),
    )
    server = uvicorn.Server(
        uvicorn.Config(app, log_config=None, log_level="warning", lifespan="off", access_log=False)
    )
    asyncio.get_running_loop().add_reader(arguments.owner_fd, _leave_if_alone, arguments, server)
    await server.serve([socket.socket(fileno=arguments.socket_fd)])


async def _ask_broker(admin: str) -> Standing:
    """Ask the broker's own readiness page."""
    host, _, port = admin.rpartition(":")
    try:
        async with asyncio.timeout(CHECK_SECONDS_MAX):
            reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
            try:
                writer.write(b"GET /readyz HTTP/1.1\r\n\r\n")
                head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            finally:
                writer.close()
    except (OSError, TimeoutError) as error:
        return Standing(is_ready=False, text=f"not ready: {admin} does not answer ({error})\n")
    return Standing(is_ready=head.startswith(b"HTTP/1.1 200 "), text=body.decode())


def _leave_if_alone(arguments: argparse.Namespace, server: uvicorn.Server) -> None:
    if not os.read(arguments.owner_fd, 1):
        asyncio.get_running_loop().remove_reader(arguments.owner_fd)
        server.should_exit = True


if __name__ == "__main__":
    main()
