"""A real server for tests, as a process of its own: a context manager, and a pytest fixture."""

from everlog.testing.server import RunningServer, ServerStartError, running_server

__all__ = ["RunningServer", "ServerStartError", "running_server"]
