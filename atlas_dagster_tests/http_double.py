"""What the servers of tests share: HTTP on 127.0.0.1, and trouble where a test wants it."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Generic, Protocol, TypeVar

Trouble = TypeVar("Trouble")
Double = TypeVar("Double", bound="HttpDouble[Any]")


class Sent(Protocol):
    """What a request gets."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def content(self) -> bytes: ...


@dataclass
class _Rule(Generic[Trouble]):
    request: re.Pattern[str]
    trouble: Trouble
    times: int


class HttpDouble(Generic[Trouble]):
    """A server on a port of its own; requests that hang do so until ``released`` is set."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self._rules: list[_Rule[Trouble]] = []
        self._lock = threading.RLock()
        double = self

        class Handler(_Handler):
            server_double = double

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def lines(self) -> list[str]:
        """All requests so far, as `METHOD path`."""
        raise NotImplementedError

    def handle(self, method: str, target: str, headers: Any, content: bytes) -> Sent | None:
        """Answer one request; None: not at all."""
        raise NotImplementedError

    def connected(self, change: int) -> None:
        """Clients come and go."""

    def misbehave(self, request: str, trouble: Trouble, times: int = 1) -> None:
        """Give the next requests that match (`METHOD path`, a regular expression) trouble."""
        self._rules.append(_Rule(re.compile(request), trouble, times))

    def behave(self) -> None:
        """No trouble from now on."""
        self._rules.clear()

    def count(self, request: str) -> int:
        """How many requests matched a regular expression so far."""
        return sum(bool(re.search(request, line)) for line in self.lines())

    def serve(self) -> None:
        """Answer requests until `close`."""
        self._server.serve_forever(poll_interval=0.02)

    def close(self) -> None:
        """Let go of requests that hang, and stop."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def _trouble(self, line: str) -> Trouble | None:
        for rule in self._rules:
            if rule.times and rule.request.search(line):
                rule.times -= 1
                return rule.trouble
        return None


@contextmanager
def running(double: Double) -> Iterator[Double]:
    """A double that answers for the length of a block."""
    thread = threading.Thread(target=double.serve, daemon=True)
    thread.start()
    try:
        yield double
    finally:
        double.close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    """HTTP/1.1 with connections that stay open."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # an answer in one piece
    server_double: HttpDouble[Any]

    def setup(self) -> None:
        self.server_double.connected(+1)
        super().setup()

    def finish(self) -> None:
        try:
            super().finish()
        finally:
            self.server_double.connected(-1)

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        content = self.rfile.read(length)
        if len(content) < length:  # the client has died: a server does not do half a request
            self.close_connection = True
            return
        answer = self.server_double.handle(self.command, self.path, self.headers, content)
        if answer is None:
            self.close_connection = True
            return
        self.send_response(answer.status)
        headers = {"Content-Type": "application/json", **answer.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Tests read what was sent from the double."""
