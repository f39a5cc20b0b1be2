"""The end of the gateway, as its owner sees it."""

from typing import Any, cast

from service.app.gateway_process import _end


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
