"""Three servers of one kind as one process: `python -m bench.peers.trio COMMAND...` runs three.

Each argument is a whole command, in JSON. All of them end when this process is told to, or when one
of them ends by itself.
"""

import json
import os
import signal
import subprocess
import sys
from types import FrameType


def main() -> int:
    """Run the commands until SIGTERM; return the status of the first that ended by itself."""
    running = [subprocess.Popen(json.loads(command)) for command in sys.argv[1:]]
    by_pid = {process.pid: process for process in running}

    def stop(_number: int, _frame: FrameType | None) -> None:
        for process in running:
            process.terminate()

    signal.signal(signal.SIGTERM, stop)
    status = 0
    while by_pid:
        pid, waited = os.wait()
        by_pid.pop(pid, None)
        if waited and not os.WIFSIGNALED(waited) and not status:
            status = os.waitstatus_to_exitcode(waited)
        stop(signal.SIGTERM, None)
    return 0 if status == _STOPPED_BY_SIGTERM else status


_STOPPED_BY_SIGTERM = 143
"""What a JVM says of an orderly stop."""


if __name__ == "__main__":
    sys.exit(main())
