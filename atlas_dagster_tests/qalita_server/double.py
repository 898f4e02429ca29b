"""A QALITA platform for tests: the sandbox over HTTP on 127.0.0.1, and every way to misbehave.

Nothing here was observed on a real platform: it answers as the clients of QALITA expect, and is
checked against the requests of the real command line.
"""

from __future__ import annotations

import threading
from typing import Any

from atlas_dagster.qalita.sandbox.ledger import Ledger
from atlas_dagster.qalita.sandbox.platform import Platform
from atlas_dagster.qalita.sandbox.wire import Answer, Request, detail, parse_request
from atlas_dagster_tests.http_double import HttpDouble
from atlas_dagster_tests.qalita_server.routes import AnyRoutes, Generation
from atlas_dagster_tests.qalita_server.wire import After, Cut, Do, Hang, Late, Lose, Trouble

API_TOKEN = "an-opaque-api-token"
USER, PASSWORD = "atlas@example.com", "pässword & more"


class QalitaDouble(HttpDouble[Trouble]):
    """The platform, and the switches of a test.

    ``requests`` are all it was sent. API_TOKEN is one that it knows; USER may sign in with
    PASSWORD.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.routes = AnyRoutes(self.ledger)
        self.platform = Platform(self.routes, self.address, {API_TOKEN}, (USER, PASSWORD))
        self.requests: list[Request] = []
        self._connected = 0
        self._resting = threading.Condition()

    @property
    def url(self) -> str:
        return self.address

    @property
    def tokens(self) -> set[str]:
        """The API tokens that it knows."""
        return self.platform.tokens

    def become(self, generation: Generation) -> None:
        """Be a platform of another generation; one with versions of sources gives each a first."""
        self.routes.generation = generation
        self.ledger.has_source_versions = generation is not Generation.CURRENT
        for row in self.ledger.rows("sources") if self.ledger.has_source_versions else ():
            self.ledger.add("source_versions", source_id=row["id"], sem_ver_id="1.0.0")

    def expire_tokens(self) -> None:
        """Every token of a sign-in is refused from now on."""
        self.platform.expire_tokens()

    def lines(self) -> list[str]:
        """All requests so far, as `METHOD path`."""
        return [request.line for request in self.requests]

    def issue(self) -> str:
        """A token of a session."""
        return self.platform.issue()

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
            self.routes.most_items = most_items
            try:
                return self.platform.answer(request)
            finally:
                self.routes.most_items = None
