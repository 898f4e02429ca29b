"""An Airbyte server for tests: both APIs over HTTP on 127.0.0.1, and every way they misbehave."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from atlas_dagster_tests.airbyte_server import answers, states
from atlas_dagster_tests.airbyte_server.ledger import Job, Json, Ledger
from atlas_dagster_tests.http_double import HttpDouble

PUBLIC, CONFIGURATION = "/api/public/v1", "/api/v1"


@dataclass(frozen=True)
class Answer:
    """What a request gets; ``body`` is sent as JSON unless it is bytes.

    ``does`` happens first: a refusal may come after the deed.
    """

    status: int = 200
    body: Json | bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    does: Callable[[], object] | None = None

    @property
    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return json.dumps(answers.without_nulls(self.body)).encode()


@dataclass(frozen=True)
class Hang:
    """Do what the request asks, and keep its answer back until the test ends."""


@dataclass(frozen=True)
class Lose:
    """Close the connection without an answer."""


@dataclass(frozen=True)
class Gather:
    """Wait for as many requests as the barrier takes, and answer them all."""

    barrier: threading.Barrier


LOGIN_PAGE = Answer(200, b"<!doctype html><title>Airbyte</title>", {"Content-Type": "text/html"})
BUSY = Answer(503, answers.problem(503, "service-unavailable", "try again"))
_JOB_BOUNDS = ("createdAtStart", "createdAtEnd", "updatedAtStart", "updatedAtEnd")
Trouble = Answer | Hang | Lose | Gather


class AirbyteDouble(HttpDouble[Trouble]):
    """The server, and the switches of a test.

    ``requests`` are all it was sent, as `METHOD path`. ``credentials`` is ("id", "secret") for
    tokens, or ("user", "password") with ``basic``; None: everyone may come in.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.requests: list[str] = []
        self.credentials: tuple[str, str] | None = None
        self.basic = False
        self.token_seconds: float = 180
        self.repeats_items = False
        self.empty_pages: set[int] = set()
        self.unknown_kinds: set[str] = set()  # of jobs: older servers do not know all
        self.most_at_once = 0
        self.delay_seconds = 0.0
        self._tokens: set[str] = set()
        self._issued = 0
        self._at_once = 0

    @property
    def rest_url(self) -> str:
        return f"{self.address}{PUBLIC}"

    @property
    def configuration_url(self) -> str:
        return f"{self.address}{CONFIGURATION}"

    def expire_tokens(self) -> None:
        """Every token that was issued is refused from now on."""
        self._tokens.clear()

    def lines(self) -> list[str]:
        return self.requests

    def handle(self, method: str, target: str, headers: Any, content: bytes) -> Answer | None:
        url = urlsplit(target)
        with self._lock:
            self.requests.append(f"{method} {url.path}")
            trouble = self._trouble(f"{method} {url.path}")
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            if self.delay_seconds:
                self.released.wait(self.delay_seconds)
            if isinstance(trouble, Answer) and trouble.does:
                with self._lock:
                    trouble.does()
            if isinstance(trouble, (Answer, Lose)):
                return trouble if isinstance(trouble, Answer) else None
            if isinstance(trouble, Gather):
                trouble.barrier.wait(timeout=30)
            body = _parse(content, headers.get("Content-Type", ""))
            with self._lock:
                answer = self._answer(method, url.path, dict(parse_qsl(url.query)), headers, body)
            if isinstance(trouble, Hang):
                self.released.wait()
                return None
            return answer
        finally:
            with self._lock:
                self._at_once -= 1

    def _answer(
        self, method: str, path: str, query: dict[str, str], headers: Any, body: Json
    ) -> Answer:
        if (method, path) == ("POST", f"{PUBLIC}/applications/token"):
            return self._issue_token(body)
        if not self._is_welcome(headers.get("Authorization", "")):
            return Answer(401, answers.problem(401, "unauthorized", "Unauthorized"))
        for verb, pattern, answer in self._routes():
            match = re.fullmatch(pattern, path)
            if verb == method and match:
                return answer(match.groupdict(), query, body)
        return _not_found(path)

    def _issue_token(self, body: Json) -> Answer:
        if (body.get("client_id"), body.get("client_secret")) != self.credentials:
            return Answer(401, answers.problem(401, "unauthorized", "wrong client"))
        self._issued += 1
        token = f"token-{self._issued}"
        self._tokens.add(token)
        return Answer(
            200,
            {"access_token": token, "token_type": "Bearer", "expires_in": self.token_seconds},
        )

    def _is_welcome(self, authorization: str) -> bool:
        if self.credentials is None:
            return True
        if self.basic:
            expected = base64.b64encode(":".join(self.credentials).encode()).decode()
            return authorization == f"Basic {expected}"
        return authorization.removeprefix("Bearer ") in self._tokens

    def _routes(self) -> list[tuple[str, str, Callable[[Json, dict[str, str], Json], Answer]]]:
        return [
            ("GET", f"{PUBLIC}/workspaces/(?P<id>[^/]+)", self._workspace),
            ("GET", f"{PUBLIC}/connections", self._connections),
            ("GET", f"{PUBLIC}/destinations/(?P<id>[^/]+)", self._destination),
            ("GET", f"{PUBLIC}/jobs", self._jobs),
            ("POST", f"{PUBLIC}/jobs", self._create_job),
            ("GET", f"{PUBLIC}/jobs/(?P<id>[0-9]+)", self._job),
            ("DELETE", f"{PUBLIC}/jobs/(?P<id>[0-9]+)", self._cancel_job),
            ("POST", f"{CONFIGURATION}/connections/get(ForJob)?", self._connection_read),
            ("POST", f"{CONFIGURATION}/jobs/get_without_logs", self._job_info),
            ("POST", f"{CONFIGURATION}/stream_statuses/list", self._stream_statuses),
            ("POST", f"{CONFIGURATION}/state/get", self._state),
            ("POST", f"{CONFIGURATION}/state/create_or_update_safe", self._change_state),
        ]

    def _workspace(self, path: Json, query: dict[str, str], body: Json) -> Answer:
        if path["id"] != self.ledger.workspace_id:
            return _not_found(path["id"])
        return Answer(200, answers.workspace(self.ledger))

    def _connections(self, path: Json, query: dict[str, str], body: Json) -> Answer:
        """A workspace that is not there has no connections: Airbyte says no more than that."""
        wanted = query.get("workspaceIds") in (None, self.ledger.workspace_id)
        shown = [c for c in self.ledger.connections.values() if c.status != "deprecated"]
        items = [answers.connection(self.ledger, c) for c in shown] if wanted else []
        return self._page(items, "connections", query)

    def _jobs(self, path: Json, query: dict[str, str], body: Json) -> Answer:
        """Oldest first, and syncs and resets only, unless something else is asked for."""
        field, _, direction = query.get("orderBy", "createdAt|ASC").partition("|")
        if field not in ("createdAt", "updatedAt") or direction not in ("ASC", "DESC"):
            return Answer(400, answers.problem(400, "bad-request", "Invalid order by clause"))
        kinds = [query["jobType"]] if "jobType" in query else ["sync", "reset"]
        if not {*kinds} <= {"sync", "reset", "refresh", "clear"} - self.unknown_kinds:
            return Answer(422, answers.problem(422, "unprocessable-entity", "no such job type"))
        try:
            bounds = {name: _instant(query[name]) for name in _JOB_BOUNDS if name in query}
        except ValueError:
            return Answer(400, answers.problem(400, "bad-request", "Failed to convert argument"))
        found = [
            job
            for job in self.ledger.jobs.values()
            if self._lists(job, query)
            and query.get("status") in (None, job.status)
            and job.type in kinds
            and all(_is_within(job, name, bound) for name, bound in bounds.items())
        ]
        ordered = sorted(
            found,
            key=lambda job: (job.created_at if field == "createdAt" else job.updated_at, job.id),
            reverse=direction == "DESC",
        )
        return self._page([answers.job(job) for job in ordered], "jobs", query)

    def _lists(self, job: Job, query: dict[str, str]) -> bool:
        """A connection that is named decides alone; a workspace that is not ours has no jobs."""
        if "connectionId" in query:
            return query["connectionId"] == job.connection_id
        return query.get("workspaceIds") in (None, self.ledger.workspace_id)

    def _page(self, items: list[Json], what: str, query: dict[str, str]) -> Answer:
        """`next` names the host that the server itself is called by, not the one we came by."""
        base, offset = f"http://airbyte-server:8001{PUBLIC}/{what}", int(query.get("offset", 0))
        if offset in self.empty_pages:
            self.empty_pages.remove(offset)
            following = "&".join(f"{key}={value}" for key, value in query.items())
            return Answer(200, {"previous": "", "next": f"{base}?{following}", "data": []})
        if self.repeats_items and offset:
            items = [*items[:offset], *items[offset - 1 :]]
        return Answer(200, answers.page(items, base, query))

    def _destination(self, path: Json, query: dict[str, str], body: Json) -> Answer:
        found = self.ledger.destinations.get(path["id"])
        return Answer(200, found) if found else _not_found(path["id"])

    def _create_job(self, path: Json, query: dict[str, str], body: Json) -> Answer:
        connection_id, kind = body["connectionId"], body["jobType"]
        if kind not in ("sync", "reset", "clear"):
            text = "Refreshes are not supported in the public API"
            return Answer(422, answers.problem(422, "unprocessable-entity", text))
        if connection_id not in self.ledger.connections:
            return _not_found(connection_id)
        if self.ledger.running(connection_id):
            text = f"A sync is already running for: {connection_id}"
            return Answer(409, answers.problem(409, "try-again-later", text))
        return Answer(200, answers.job(self.ledger.start_job(connection_id, kind)))

    def _job(self, path: Json, query: dict[str, str], body: Json) -> Answer:
        job = self._find_job(path["id"])
        if job is None:
            return _not_found(path["id"])
        job.look()
        return Answer(200, answers.job(job))

    def _cancel_job(self, path: Json, query: dict[str, str], body: Json) -> Answer:
        job = self._find_job(path["id"])
        if job is None:
            return _not_found(path["id"])
        if job.is_alive:
            job.status, job.script = "cancelled", []
        return Answer(200, answers.job(job))

    def _connection_read(self, path: Json, query: dict[str, str], body: Json) -> Answer:
        found = self.ledger.connections.get(body["connectionId"])
        if found is None:
            return _not_found(body["connectionId"])
        return Answer(200, answers.connection_read(self.ledger, found))

    def _job_info(self, path: Json, query: dict[str, str], body: Json) -> Answer:
        job = self._find_job(body["id"])
        if job is None:
            return _not_found(body["id"])
        return Answer(
            200, answers.job_info(job, self.ledger.connections[job.connection_id].streams)
        )

    def _stream_statuses(self, path: Json, query: dict[str, str], body: Json) -> Answer:
        if not {"workspaceId", "pagination"} <= body.keys():
            return Answer(400, answers.problem(400, "bad-request", "a field is missing"))
        job = self._find_job(body["jobId"])
        if job is None:
            return Answer(200, {"streamStatuses": []})
        return Answer(200, answers.stream_statuses(self.ledger, job))

    def _state(self, path: Json, query: dict[str, str], body: Json) -> Answer:
        return Answer(200, answers.state(self.ledger, body["connectionId"]))

    def _change_state(self, path: Json, query: dict[str, str], body: Json) -> Answer:
        connection_id, new = body["connectionId"], body["connectionState"]
        jobs = self.ledger.jobs.values()
        if any(job.is_alive and job.connection_id == connection_id for job in jobs):
            return Answer(423, {"message": "State cannot be updated while a sync is running"})
        stored = self.ledger.states.get(connection_id, {"stateType": "not_set"})
        state = states.changed(stored, new)
        if state is None:
            return Answer(500, {"message": "Unexpected type migration"})
        self.ledger.states[connection_id] = state
        return Answer(200, answers.state(self.ledger, connection_id))

    def _find_job(self, job_id: str | int) -> Job | None:
        return self.ledger.jobs.get(int(job_id))


def _instant(text: str) -> datetime:
    """An ISO date-time with its zone, as Airbyte wants one; ValueError where it is none."""
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if "T" not in text or moment.tzinfo is None:
        raise ValueError(text)
    return moment


def _is_within(job: Job, bound: str, moment: datetime) -> bool:
    at = job.created_at if bound.startswith("createdAt") else job.updated_at
    return at >= moment if bound.endswith("Start") else at <= moment


def _parse(content: bytes, kind: str) -> Json:
    """A body, as JSON or as a form: the SDK asks for tokens with the latter."""
    if kind.startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(content.decode()))
    return json.loads(content) if content else {}


def _not_found(what: object) -> Answer:
    return Answer(
        404, answers.problem(404, "resource-not-found", f"Could not find a resource for: {what}")
    )
