"""What the sandbox does with each request, by what is known of the platform.

It takes what QALITA's own command line sends, and refuses what the platform refuses: 405 where
jobs are not created, 422 where ids are missing in the query, 204 where there is nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, cast

from atlas_dagster.qalita.sandbox.ledger import Ledger
from atlas_dagster.qalita.sandbox.wire import (
    NO_CONTENT,
    NOT_ALLOWED,
    NOT_FOUND,
    Answer,
    Json,
    Request,
    missing,
    parse_json,
)

MOST_ROWS = 10_000
USER: Json = {
    "id": 1,
    "email": "admin@example.com",
    "login": "admin",
    "name": "admin",
    "language": None,
    "avatar": None,
    "theme": "light",
    "home": "/home/de/sources",
    "role_id": 1,
    "role": "admin",
    "role_override": True,
    "is_active": True,
    "created_at": "2024-02-18T20:07:36.620938",
    "habilitations": [],
}

_JOB_FIELDS = (
    *("name", "worker_id", "source_id", "source_version_id", "pack_id", "pack_version_id"),
    *("target_id", "routine_id", "type", "status", "start_date", "end_date", "logs_id"),
    *("error_message", "pack_config_override"),
)
_STATUSES = ("pending", "running", "succeeded", "failed", "killed")
_LISTS = "sources|packs|jobs|metrics|schemas|recommendations|routines|registries|workers|issues"
_UPLOADS = "schemas|metrics|recommendations"
_ASSET_FIELDS = ("registry_id", "name", "version", "bucket", "type", "description")

Route = tuple[str, str, Callable[[Request, Json], Answer]]


class InvalidError(Exception):
    """A request that FastAPI would not let through; ``answer`` says why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Routes:
    """The platform behind its HTTP: the newest generation of it."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def answer(self, request: Request) -> Answer:
        """Do what a request asks."""
        found: set[str] = set()
        for method, pattern, route in self.routes():
            match = re.fullmatch(pattern, request.path)
            if match:
                found.add(method)
                if method == request.method:
                    try:
                        return route(request, match.groupdict())
                    except InvalidError as error:
                        return error.answer
        return NOT_ALLOWED if found else NOT_FOUND

    def routes(self) -> list[Route]:
        """Method, path, and what is done."""
        return [
            *self.shared_routes(),
            ("POST", "/api/v2/jobs/create", self.create_job),
            ("POST", "/api/v1/figures/upload", self._figures),
            ("POST", r"/api/v1/jobs/(?P<id>\d+)/outputs", self._output),
        ]

    def shared_routes(self) -> list[Route]:
        """What all generations have."""
        one = "/api/v2/(?P<kind>sources|packs|assets|workers|jobs)/(?P<id>[^/]+)"
        return [
            ("GET", r"/api/v2/users/(?P<id>\d+)", _always(USER)),
            ("GET", "/api/v1/partners", _always([{"id": 1, "name": "Org"}])),
            ("GET", "/api/v1/agents", _always([])),
            ("POST", "/api/v1/tokens/create", _always({"access_token": "api"})),
            ("GET", f"/api/v2/(?P<kind>{_LISTS})", self.list_rows),
            ("GET", one, self._get),
            ("PUT", one, self._put),
            ("POST", "/api/v1/(?P<kind>sources|packs)/publish", self._publish),
            ("PUT", r"/api/v1/packs/(?P<id>\d+)/version", self._pack_version),
            ("POST", "/api/v1/assets/upload", self._asset),
            ("GET", r"/api/v1/assets/(?P<id>\d+)/fetch", self._fetch),
            ("POST", "/api/v2/workers/create", self._create_worker),
            ("GET", r"/api/v1/workers/(?P<id>\d+)/jobs/next", _always([])),
            ("POST", f"/api/v1/(?P<kind>{_UPLOADS})/upload", self._upload),
        ]

    def list_rows(self, request: Request, path: Json) -> Answer:
        """The newest rows first, those that equal all filters, a page of them."""
        rows = self.filtered(list(reversed(list(self.ledger.shown(path["kind"])))), request)
        offset = _number(request.query.get("offset", "0"), "query", "offset")
        limit = _number(request.query.get("limit", str(MOST_ROWS)), "query", "limit")
        return Answer(200, rows[offset : offset + min(limit, MOST_ROWS)])

    def filtered(self, rows: list[Json], request: Request) -> list[Json]:
        """The rows that have one of the wanted values in each field that is asked for."""
        wanted: dict[str, set[str]] = {}
        for name, value in request.params:
            if name not in ("offset", "limit", "project_id"):
                wanted.setdefault(name, set()).add(value)
        return [
            row
            for row in rows
            if all(str(row.get(name)) in values for name, values in wanted.items())
        ]

    def create_job(self, request: Request, _: Json) -> Answer:
        """A job, which is pending unless it says otherwise."""
        body = _body(request, *self.job_ids())
        row = self.ledger.add("jobs", **{"status": "pending", **_job_fields(body)})
        return Answer(201, self.ledger.job(row))

    def job_ids(self) -> Sequence[str]:
        """The ids that a job needs."""
        return ("source_id", "pack_id")

    def ids(self, request: Request) -> Json:
        """The ids of an upload, which must be in the query."""
        return _ids(request.query, "query", "source_id", "pack_id", "pack_version_id")

    def taken(self, items: list[Json]) -> list[Json]:
        """The items of an upload that are stored: all of them."""
        return items

    def _get(self, _: Request, path: Json) -> Answer:
        row = self._row(path)
        if row is None:
            return NO_CONTENT
        show: dict[str, Callable[[Json], Json]] = {
            "sources": self.ledger.source,
            "packs": self.ledger.pack,
            "jobs": self.ledger.job,
            "workers": self.ledger.worker,
        }
        return Answer(200, show.get(path["kind"], dict)(row))

    def _put(self, request: Request, path: Json) -> Answer:
        row = self._row(path)
        if row is None:
            return NO_CONTENT
        body = _body(request)
        known = _job_fields(body) if path["kind"] == "jobs" else body
        known = {name: value for name, value in known.items() if name != "id"}
        if path["kind"] == "workers":
            known = {**known, "last_status_check": self.ledger.now()}
        self.ledger.change(path["kind"], row, **known)
        return self._get(request, path)

    def _row(self, path: Json) -> Json | None:
        return self.ledger.table(path["kind"]).get(_number(path["id"], "path", "id"))

    def _publish(self, request: Request, path: Json) -> Answer:
        body = _body(request, "name", "type", "visibility")
        fields = {name: value for name, value in body.items() if name not in ("id", "version")}
        if path["kind"] == "packs":
            return Answer(200, self.ledger.pack(self.ledger.add("packs", **fields)))
        row = self.ledger.add_source(fields.pop("name"), fields.pop("type"), **fields)
        return Answer(200, self.ledger.source(row))

    def _pack_version(self, request: Request, path: Json) -> Answer:
        found = _ids(request.query, "query", "asset_id")
        if "sem_ver_id" not in request.query:
            raise InvalidError(missing("query", "sem_ver_id"))
        row = self.ledger.add_pack_version(
            int(path["id"]), request.query["sem_ver_id"], found["asset_id"]
        )
        return Answer(200, row)

    def _asset(self, request: Request, _: Json) -> Answer:
        """Keep a file; one that is there under its name and version is answered as it is."""
        absent = [name for name in _ASSET_FIELDS if name not in request.query]
        if absent:
            raise InvalidError(missing("query", *absent))
        content = _file(request)
        fields = {name: request.query[name] for name in _ASSET_FIELDS[1:]}
        key = (fields["name"], fields["version"], fields["bucket"])
        for row in self.ledger.rows("assets"):
            if (row["name"], row["version"], row["bucket"]) == key:
                return Answer(200, row)
        place = "{bucket}/{name}/{version}/{name}.tar.gz".format(**fields)
        url = f"http://s3:8333/{place}"  # the worker takes names out of its path
        row = self.ledger.add("assets", **fields, url=url, size=len(content))
        self.ledger.files[row["id"]] = content
        return Answer(200, row)

    def _fetch(self, _: Request, path: Json) -> Answer:
        content = self.ledger.files.get(int(path["id"]))
        return NO_CONTENT if content is None else Answer(200, content)

    def _create_worker(self, request: Request, _: Json) -> Answer:
        now = self.ledger.now()
        fields = {name: value for name, value in _body(request).items() if name != "id"}
        row = self.ledger.add(
            "workers", **{**fields, "registered_at": now, "last_status_check": now}
        )
        return Answer(201, row)

    def _upload(self, request: Request, path: Json) -> Answer:
        ids = self.ids(request)
        items = _items(parse_json(_file(request)))
        for item in items:
            if path["kind"] == "metrics" and isinstance(item.get("value"), (list, dict)):
                text = f"metric {item.get('key')}: value is no scalar"
                return Answer(422, {"detail": text})
        for item in self.taken(items):
            value = item.get("value")
            stored = value if value is None else {"value": str(value)}
            fields = {name: each for name, each in item.items() if name != "id"}
            self.ledger.add(path["kind"], **{**fields, **(stored or {}), **ids})
        return Answer(200, {"count": len(items)})

    def _figures(self, request: Request, _: Json) -> Answer:
        self.ids(request)
        found = parse_json(_file(request))
        figures = cast("Json", found).get("figures") if isinstance(found, dict) else None
        return Answer(200, {"accepted": len(_items(figures)), "rejected": []})

    def _output(self, request: Request, path: Json) -> Answer:
        content = _file(request)
        row = self.ledger.add(
            "outputs", job_id=int(path["id"]), name="report.html", size=len(content)
        )
        return Answer(200, row)


def _always(body: Any) -> Callable[[Request, Json], Answer]:
    """A route with one answer."""

    def route(_: Request, __: Json) -> Answer:
        return Answer(200, body)

    return route


def _body(request: Request, *needed: str) -> Json:
    fields = request.fields
    if fields is None:
        raise InvalidError(missing("body"))
    absent = [name for name in needed if fields.get(name) is None]
    if absent:
        raise InvalidError(missing("body", *absent))
    return fields


def _file(request: Request) -> bytes:
    if "file" not in request.files:
        raise InvalidError(missing("body", "file"))
    return request.files["file"]


def _items(found: Any) -> list[Json]:
    items = cast("list[Any]", found) if isinstance(found, list) else None
    if items is None or not all(isinstance(item, dict) for item in items):
        raise InvalidError(Answer(422, {"detail": "the file is no list of objects"}))
    return items


def _ids(given: dict[str, str], place: str, *names: str) -> Json:
    absent = [name for name in names if name not in given]
    if absent:
        raise InvalidError(missing(place, *absent))
    return {name: _number(given[name], place, name) for name in names}


def _number(text: object, place: str, name: str) -> int:
    """A whole number, which may be written as a text."""
    if isinstance(text, int) and not isinstance(text, bool):
        return text
    if isinstance(text, str) and re.fullmatch(r"[0-9]{1,18}", text):
        return int(text)
    problem = {"type": "int_parsing", "loc": [place, name], "msg": "Input should be an integer"}
    raise InvalidError(Answer(422, {"detail": [problem]}))


def _job_fields(sent: Json) -> Json:
    """What is known of what was sent; ids come as texts, too."""
    fields = {name: value for name, value in sent.items() if name in _JOB_FIELDS}
    if fields.get("status", "pending") not in _STATUSES:
        raise InvalidError(Answer(422, {"detail": f"status: expected one of {_STATUSES}"}))
    return {
        name: _number(value, "body", name) if name.endswith("_id") and value is not None else value
        for name, value in fields.items()
    }
