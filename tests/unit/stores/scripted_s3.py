"""An S3 server that answers what a test wrote down, and keeps what it was asked."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from everlog.stores.s3 import S3ObjectStore
from tests.contract.object_stores import s3_store


@dataclass(frozen=True, slots=True)
class Asked:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is sent back; with ``missing``, the connection ends that many bytes too early."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    missing: int = 0


def error(status: int, code: str) -> Answer:
    return Answer(status=status, body=error_body(code))


def error_body(code: str) -> bytes:
    return (
        f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>said so</Message></Error>'
    ).encode()


class ScriptedS3:
    def __init__(self) -> None:
        self.answers: deque[Answer] = deque()
        self.asked: list[Asked] = []
        script = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(size)
                if len(body) < size:
                    self.close_connection = True
                    return
                script.asked.append(Asked(self.command, self.path, dict(self.headers), body))
                self.answer(script.answers.popleft())

            def answer(self, answer: Answer) -> None:
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if self.command != "HEAD":
                    self.send_header("Content-Length", str(len(answer.body) + answer.missing))
                self.end_headers()
                self.wfile.write(answer.body)
                self.close_connection = bool(answer.missing)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_one  # noqa: N815

            def log_message(self, *_: object) -> None:  # type: ignore[explicit-override]
                """Stay quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@asynccontextmanager
async def scripted_store(
    *answers: Answer, **settings: Any
) -> AsyncIterator[tuple[S3ObjectStore, ScriptedS3]]:
    """Open a store on a server with a script; the script must have been used up at the end."""
    server = ScriptedS3()
    server.answers.extend(answers)
    server.start()
    store = s3_store(server.endpoint, prefix="cold/", **settings)
    try:
        yield store, server
    finally:
        # First the connections, which the server's threads wait for.
        await store.close()
        await asyncio.to_thread(server.stop)
    assert not server.answers, f"never asked for: {server.answers}"
