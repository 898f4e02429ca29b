"""A QALITA platform for tests: its API over HTTP on 127.0.0.1, and every way it may misbehave.

Nothing here was observed on a real platform: it answers as the clients of QALITA expect, and is
checked against the requests of the real command line.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from typing import Any

from atlas_dagster_tests.http_double import HttpDouble
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


class QalitaDouble(HttpDouble[Trouble]):
    """The platform, and the switches of a test.

    ``requests`` are all it was sent. ``tokens`` are the API tokens that it knows; USER may sign in
    with PASSWORD, for tokens that live ``token_seconds``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.routes = Routes(self.ledger)
        self.requests: list[Request] = []
        self.tokens = {API_TOKEN}
        self.token_seconds: float = 240 * 60
        self.version = "3.2.1"
        self._sessions: set[str] = set()
        self._connected = 0
        self._resting = threading.Condition()

    @property
    def url(self) -> str:
        return self.address

    def become(self, generation: Generation) -> None:
        """Be a platform of another generation; one with versions of sources gives each a first."""
        self.routes.generation = generation
        self.ledger.has_source_versions = generation is not Generation.CURRENT
        for row in self.ledger.rows("sources") if self.ledger.has_source_versions else ():
            self.ledger.add("source_versions", source_id=row["id"], sem_ver_id="1.0.0")

    def expire_tokens(self) -> None:
        """Every token of a sign-in is refused from now on."""
        self._sessions.clear()

    def lines(self) -> list[str]:
        """All requests so far, as `METHOD path`."""
        return [request.line for request in self.requests]

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
