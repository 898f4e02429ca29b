"""Requests as the sandbox reads them, and what it answers: JSON as FastAPI writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any, cast
from urllib.parse import parse_qsl

Json = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What a request gets; ``body`` is sent as JSON unless it is bytes. None: no content."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def content(self) -> bytes:
        if self.body is None or isinstance(self.body, bytes):
            return self.body or b""
        return json.dumps(self.body).encode()


@dataclass(frozen=True)
class Request:
    """A request; ``query`` and ``form`` have each name once, ``params`` as often as it stands.

    ``json`` is None where the body is no JSON.
    """

    method: str
    path: str
    params: list[tuple[str, str]]
    headers: Mapping[str, str]
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

    @property
    def fields(self) -> Json | None:
        """The JSON object of the body; None where it is none."""
        return cast("Json", self.json) if isinstance(self.json, dict) else None


def parse_request(method: str, target: str, headers: Mapping[str, str], content: bytes) -> Request:
    """Read a request: its body is JSON, a form, or a form with files."""
    path, _, query = target.partition("?")
    kind = headers.get("Content-Type") or ""
    form: dict[str, str] = {}
    files: dict[str, bytes] = {}
    body: Any = None
    if kind.startswith("multipart/form-data"):
        form, files = _parts(kind, content)
    elif kind.startswith("application/x-www-form-urlencoded"):
        form = dict(parse_qsl(content.decode(errors="replace")))
    elif content:
        body = parse_json(content)
    return Request(method, path, parse_qsl(query), headers, content, form, files, body)


def parse_json(content: bytes) -> Any:
    """A value, or None where there is none."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _parts(kind: str, content: bytes) -> tuple[dict[str, str], dict[str, bytes]]:
    message = BytesParser(policy=HTTP).parsebytes(
        b"Content-Type: " + kind.encode() + b"\r\n\r\n" + content
    )
    form: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for part in message.iter_parts():
        name = str(part.get_param("name", header="content-disposition"))
        payload = part.get_payload(decode=True)
        if not isinstance(payload, bytes):
            continue
        if part.get_filename() is None:
            form[name] = payload.decode(errors="replace")
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
