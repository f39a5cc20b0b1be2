"""One broker of `everlog dev --brokers`: the command, in a process that ends with its parent."""

import ctypes
import os
import signal

from service.app.cli.main import main

_PR_SET_PDEATHSIG = 1


def _end_with_parent() -> None:
    """Have the kernel send SIGTERM when the parent is gone, however it went (prctl(2))."""
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        raise SystemExit(1)


if __name__ == "__main__":
    _end_with_parent()
    main()
