"""The end of the gateway, as its owner sees it."""

import socket
import threading
from typing import Any, cast

from service.app.gateway_process import GatewayProcess, _end


class GoneProcess:
    """Ended when nobody looked: a loop that was busy has not heard of it."""

    def __init__(self) -> None:
        self.waits = 0

    async def wait(self) -> int:
        self.waits += 1
        if self.waits == 1:
            raise TimeoutError
        return 0

    def kill(self) -> None:
        raise ProcessLookupError


async def test_a_gateway_that_ended_while_the_loop_was_busy_does_not_fail_the_stop() -> None:
    process = GoneProcess()
    await _end(cast("Any", process))
    assert process.waits == 2


def test_a_port_that_is_just_being_let_go_is_waited_for() -> None:
    """As when a broker is started anew right after it was killed: its gateway is still leaving."""
    leaving = socket.create_server(("127.0.0.1", 0))
    port = leaving.getsockname()[1]
    letting_go = threading.Timer(0.2, leaving.close)
    letting_go.start()
    gateway = GatewayProcess("127.0.0.1", port, logs=("info", "text"))
    letting_go.join()
    assert gateway.port == port
    gateway.close()
