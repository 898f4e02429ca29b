"""A QALITA platform for tests: its API over HTTP on 127.0.0.1, and every way it may misbehave.

Nothing here was observed on a real platform: it answers as the clients of QALITA expect, and is
checked against the requests of the real command line.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from atlas_dagster_tests.qalita_server.ledger import Json, Ledger
from atlas_dagster_tests.qalita_server.routes import Generation, Routes
from atlas_dagster_tests.qalita_server.wire import (
    UNAUTHORIZED,
    After,
    Answer,
    Cut,
    Do,
    Hang,
    Late,
    Lose,
    Request,
    Trouble,
    detail,
    missing,
    parse_request,
)

API_TOKEN = "an-opaque-api-token"
USER, PASSWORD = "atlas@example.com", "pässword & more"
_OPEN = ("/api/v1/version", "/api/v1/info", "/api/v1/healthcheck", "/ping")


@dataclass
class _Rule:
    request: re.Pattern[str]
    trouble: Trouble
    times: int


class QalitaDouble:
    """The platform, and the switches of a test.

    ``requests`` are all it was sent. ``tokens`` are the API tokens that it knows; USER may sign in
    with PASSWORD, for tokens that live ``token_seconds``.
    """

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.routes = Routes(self.ledger)
        self.requests: list[Request] = []
        self.tokens = {API_TOKEN}
        self.token_seconds: float = 240 * 60
        self.version = "3.2.1"
        self.released = threading.Event()
        self._rules: list[_Rule] = []
        self._sessions: set[str] = set()
        self._lock = threading.RLock()
        self._connected = 0
        self._resting = threading.Condition()
        double = self

        class Handler(_Handler):
            server_double = double

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def become(self, generation: Generation) -> None:
        """Be a platform of another generation; one with versions of sources gives each a first."""
        self.routes.generation = generation
        self.ledger.has_source_versions = generation is not Generation.CURRENT
        for row in self.ledger.rows("sources") if self.ledger.has_source_versions else ():
            self.ledger.add("source_versions", source_id=row["id"], sem_ver_id="1.0.0")

    def misbehave(self, request: str, trouble: Trouble, times: int = 1) -> None:
        """Give the next requests that match (`METHOD path`, a regular expression) trouble."""
        self._rules.append(_Rule(re.compile(request), trouble, times))

    def behave(self) -> None:
        """No trouble from now on."""
        self._rules.clear()

    def expire_tokens(self) -> None:
        """Every token of a sign-in is refused from now on."""
        self._sessions.clear()

    def lines(self) -> list[str]:
        """All requests so far, as `METHOD path`."""
        return [request.line for request in self.requests]

    def count(self, request: str) -> int:
        """How many requests matched a regular expression so far."""
        return sum(bool(re.search(request, line)) for line in self.lines())

    def issue(self) -> str:
        """A token as the platform makes it: a JWT with user, role, scopes and expiry."""
        claims = {
            "sub": "1",
            "role": "admin",
            "scopes": ["agent.get", "pack.create", "source.create"],
            "exp": int(time.time() + self.token_seconds),
            "jti": len(self._sessions),
        }
        parts = ({"alg": "HS256", "typ": "JWT"}, claims)
        encoded = [base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=") for p in parts]
        token = b".".join([*encoded, b"c2lnbmF0dXJl"]).decode()
        self._sessions.add(token)
        return token

    def serve(self) -> None:
        """Answer requests until `close`."""
        self._server.serve_forever(poll_interval=0.02)

    def close(self) -> None:
        """Let go of requests that hang, and stop."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def rest(self) -> None:
        """Wait until every client has gone, and all that they sent is done."""
        with self._resting:
            assert self._resting.wait_for(lambda: self._connected == 0, timeout=60)

    def connected(self, change: int) -> None:
        """Count clients that come and go."""
        with self._resting:
            self._connected += change
            self._resting.notify_all()

    def handle(self, method: str, target: str, headers: Any, content: bytes) -> Answer | None:
        """Answer one request; None: not at all."""
        request = parse_request(method, target, headers, content)
        with self._lock:
            self.requests.append(request)
            trouble = self._trouble(request.line)
        match trouble:
            case Answer():
                return trouble
            case Late():
                trouble.now.wait(timeout=60)
                self._answer(request)
                trouble.done.set()
                return None
            case Lose(after=False):
                return None
            case Do():
                trouble.deed()
            case _:
                pass
        answer = self._answer(request, trouble.items if isinstance(trouble, Cut) else None)
        match trouble:
            case After():
                return trouble.answer
            case Lose():
                return None
            case Cut():
                return detail(500, "Internal Server Error")
            case Hang():
                self.released.wait()
                return None
            case _:
                return answer

    def _trouble(self, line: str) -> Trouble | None:
        for rule in self._rules:
            if rule.times and rule.request.search(line):
                rule.times -= 1
                return rule.trouble
        return None

    def _answer(self, request: Request, most_items: int | None = None) -> Answer:
        with self._lock:
            if request.line == "POST /api/v1/auth/signin":
                return self._sign_in(request.form)
            if request.method == "GET" and request.path in _OPEN:
                known: Json = {"version": self.version, "public_platform_url": self.url}
                names = {"/api/v1/version": "version", "/api/v1/info": "public_platform_url"}
                name = names.get(request.path)
                return Answer(200, {name: known[name]} if name else {"status": "ok"})
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if token not in self.tokens | self._sessions:
                return UNAUTHORIZED
            return self.routes.answer(request, most_items)

    def _sign_in(self, form: dict[str, str]) -> Answer:
        absent = [name for name in ("username", "password") if name not in form]
        if absent:
            return missing("body", *absent)
        if (form["username"], form["password"]) != (USER, PASSWORD):
            return detail(401, "Incorrect username or password")
        return Answer(200, {"access_token": self.issue(), "token_type": "bearer"})


@contextmanager
def running_double() -> Iterator[QalitaDouble]:
    """A double that answers for the length of a block."""
    double = QalitaDouble()
    thread = threading.Thread(target=double.serve, daemon=True)
    thread.start()
    try:
        yield double
    finally:
        double.close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    """HTTP/1.1 with connections that stay open, as the platform's server speaks it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_double: QalitaDouble

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
        """Tests read ``requests`` instead."""
