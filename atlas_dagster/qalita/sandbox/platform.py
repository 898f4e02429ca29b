"""Who may ask the sandbox, and for what: tokens and sign-ins before the routes."""

from __future__ import annotations

import base64
import json
import time

from atlas_dagster.qalita.sandbox.routes import Routes
from atlas_dagster.qalita.sandbox.wire import (
    UNAUTHORIZED,
    Answer,
    Json,
    Request,
    detail,
    missing,
)

SESSION_SECONDS = 240.0 * 60
_OPEN = {
    "/api/v1/version": "version",
    "/api/v1/info": "public_platform_url",
    "/api/v1/healthcheck": None,
    "/ping": None,
}


class Platform:
    """A platform with one user, who signs in or has one of the API tokens.

    A session lives ``token_seconds``, and until the process ends.
    """

    def __init__(self, routes: Routes, url: str, tokens: set[str], login: tuple[str, str]) -> None:
        self.routes = routes
        self.url = url
        self.tokens = tokens
        self.token_seconds = SESSION_SECONDS
        self.version = "3.2.1"
        self._login = login
        self._sessions: set[str] = set()

    def expire_tokens(self) -> None:
        """Every token of a sign-in is refused from now on."""
        self._sessions.clear()

    def issue(self) -> str:
        """A new token of a session."""
        token = make_token(time.time() + self.token_seconds, len(self._sessions))
        self._sessions.add(token)
        return token

    def answer(self, request: Request) -> Answer:
        """Do what a request asks, if who asks may."""
        if request.line == "POST /api/v1/auth/signin":
            return self._sign_in(request.form)
        if request.method == "GET" and request.path in _OPEN:
            name = _OPEN[request.path]
            known: Json = {"version": self.version, "public_platform_url": self.url}
            return Answer(200, {name: known[name]} if name else {"status": "ok"})
        token = (request.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token not in self.tokens | self._sessions:
            return UNAUTHORIZED
        return self.routes.answer(request)

    def _sign_in(self, form: dict[str, str]) -> Answer:
        absent = [name for name in ("username", "password") if name not in form]
        if absent:
            return missing("body", *absent)
        if (form["username"], form["password"]) != self._login:
            return detail(401, "Incorrect username or password")
        return Answer(200, {"access_token": self.issue(), "token_type": "bearer"})


def make_token(expires_at: float, number: int) -> str:
    """A token of the form that the platform's have: a JWT with user, role, scopes and expiry."""
    claims = {
        "sub": "1",
        "role": "admin",
        "scopes": ["agent.get", "pack.create", "source.create"],
        "exp": int(expires_at),
        "jti": number,
    }
    parts = ({"alg": "HS256", "typ": "JWT"}, claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=") for p in parts]
    return b".".join([*encoded, b"c2lnbmF0dXJl"]).decode()
