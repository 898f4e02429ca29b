"""Requests as the test's QALITA reads them, and what may be answered."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl

from atlas_dagster_tests.qalita_server.ledger import Json


@dataclass(frozen=True)
class Answer:
    """What a request gets; ``body`` is sent as JSON unless it is bytes. None: no content."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        if self.body is None or isinstance(self.body, bytes):
            return self.body or b""
        return json.dumps(self.body).encode()


@dataclass(frozen=True)
class After:
    """Do what the request asks, and answer this."""

    answer: Answer


@dataclass(frozen=True)
class Lose:
    """Close the connection without an answer, after the deed or instead of it."""

    after: bool = True


@dataclass(frozen=True)
class Hang:
    """Do what the request asks, and keep its answer back until the test ends."""


@dataclass(frozen=True)
class Late:
    """Give no answer; do what the request asks when ``now`` is set, and set ``done``."""

    now: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Cut:
    """Take only the first items of an upload, and fail then."""

    items: int


@dataclass(frozen=True)
class Do:
    """Do something first; the request is answered as always."""

    deed: Callable[[], object]


Trouble = Answer | After | Lose | Hang | Late | Cut | Do


@dataclass(frozen=True)
class Request:
    """A request; ``query`` and ``form`` have each name once, ``params`` as often as it stands."""

    method: str
    path: str
    params: list[tuple[str, str]]
    headers: Any
    content: bytes
    form: dict[str, str]
    files: dict[str, bytes]
    json: Any

    @property
    def query(self) -> dict[str, str]:
        return dict(self.params)

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"


def parse_request(method: str, target: str, headers: Any, content: bytes) -> Request:
    """Read a request: its body is JSON, a form, or a form with files."""
    path, _, query = target.partition("?")
    kind = headers.get("Content-Type", "")
    form: dict[str, str] = {}
    files: dict[str, bytes] = {}
    body: Any = None
    if kind.startswith("multipart/form-data"):
        form, files = _parts(kind, content)
    elif kind.startswith("application/x-www-form-urlencoded"):
        form = dict(parse_qsl(content.decode()))
    elif content:
        body = json.loads(content)
    return Request(method, path, parse_qsl(query), headers, content, form, files, body)


def _parts(kind: str, content: bytes) -> tuple[dict[str, str], dict[str, bytes]]:
    message = BytesParser(policy=HTTP).parsebytes(
        b"Content-Type: " + kind.encode() + b"\r\n\r\n" + content
    )
    form: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        if part.get_filename() is None:
            form[name] = payload.decode()
        else:
            files[name] = payload
    return form, files


def missing(place: str, *names: str) -> Answer:
    """FastAPI's answer where a field is missing."""
    detail: list[Json] = [
        {"type": "missing", "loc": [place, name], "msg": "Field required", "input": None}
        for name in names
    ]
    return Answer(422, {"detail": detail})


def detail(status: int, text: str, **headers: str) -> Answer:
    """FastAPI's answer of an HTTPException."""
    return Answer(
        status,
        {"detail": text},
        {name.replace("_", "-"): value for name, value in headers.items()},
    )


NOT_FOUND = detail(404, "Not Found")
NOT_ALLOWED = detail(405, "Method Not Allowed", Allow="GET")
NO_CONTENT = Answer(204)
UNAUTHORIZED = detail(401, "Could not validate credentials")
LOGIN_PAGE = Answer(200, b"<!doctype html><title>QALITA</title>", {"Content-Type": "text/html"})
BUSY = detail(503, "try again")
