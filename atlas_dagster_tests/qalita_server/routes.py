"""What the test's QALITA does with each request, by what is known of the real one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from enum import Enum
from typing import Any

from atlas_dagster_tests.qalita_server.ledger import CLI_USER, Json, Ledger
from atlas_dagster_tests.qalita_server.wire import (
    NO_CONTENT,
    NOT_ALLOWED,
    NOT_FOUND,
    Answer,
    Request,
    missing,
)


class Generation(Enum):
    """What a platform wants of an upload, and where jobs are created."""

    CURRENT = "ids in the query; POST /jobs/create"
    VERSIONED = "ids in the query, a source's version too; POST /jobs/create"
    FORM = "ids as form fields, a source's version too; POST /jobs"


_JOB_FIELDS = (
    *("name", "worker_id", "source_id", "source_version_id", "pack_id", "pack_version_id"),
    *("target_id", "routine_id", "type", "status", "start_date", "end_date", "logs_id"),
    *("error_message", "pack_config_override"),
)
_LISTS = "sources|packs|jobs|metrics|schemas|recommendations|routines|registries|workers|issues"
_UPLOADS = "schemas|metrics|recommendations"


class Routes:
    """The platform behind its HTTP.

    Switches: ``filters`` and ``pages`` say whether lists obey them, ``most_rows`` caps a page,
    ``newest_first`` the order of lists, ``empty_is_204`` and ``wraps_lists`` their shape,
    ``lists_content`` whether schemas and recommendations can be listed at all.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.generation = Generation.CURRENT
        self.filters = True
        self.pages = True
        self.most_rows = 10_000
        self.newest_first = True
        self.empty_is_204 = False
        self.wraps_lists = False
        self.lists_content = True

    def answer(self, request: Request, most_items: int | None = None) -> Answer:
        """Do what a request asks."""
        found: set[str] = set()
        for method, pattern, route in self._routes():
            match = re.fullmatch(pattern, request.path)
            if match:
                found.add(method)
                if method == request.method:
                    return route(request, match.groupdict(), most_items)
        return NOT_ALLOWED if found else NOT_FOUND

    def _routes(self) -> list[tuple[str, str, Callable[[Request, Json, int | None], Answer]]]:
        one = "/api/v2/(?P<kind>sources|packs|assets|workers|jobs)/(?P<id>[^/]+)"
        routes: list[tuple[str, str, Callable[[Request, Json, int | None], Answer]]] = [
            ("GET", r"/api/v2/users/(?P<id>\d+)", lambda *_: Answer(200, CLI_USER)),
            ("GET", "/api/v1/partners", lambda *_: Answer(200, [{"id": 1, "name": "Org"}])),
            ("GET", "/api/v1/agents", lambda *_: Answer(200, [])),
            ("POST", "/api/v1/tokens/create", lambda *_: Answer(200, {"access_token": "api"})),
            ("GET", f"/api/v2/(?P<kind>{_LISTS})", self._list),
            ("GET", one, self._get),
            ("PUT", one, self._put),
            ("POST", "/api/v1/(?P<kind>sources|packs)/publish", self._publish),
            ("PUT", r"/api/v1/packs/(?P<id>\d+)/version", self._pack_version),
            ("POST", "/api/v1/assets/upload", self._asset),
            ("GET", r"/api/v1/assets/(?P<id>\d+)/fetch", self._fetch),
            ("POST", "/api/v2/workers/create", self._create_worker),
            ("GET", r"/api/v1/workers/(?P<id>\d+)/jobs/next", lambda *_: Answer(200, [])),
            ("POST", f"/api/v1/(?P<kind>{_UPLOADS})/upload", self._upload),
        ]
        if self.generation is Generation.FORM:
            return [*routes, ("POST", "/api/v2/jobs", self._create_job)]
        return [
            *routes,
            ("POST", "/api/v2/jobs/create", self._create_job),
            ("POST", "/api/v1/figures/upload", self._figures),
            ("POST", r"/api/v1/jobs/(?P<id>\d+)/outputs", self._output),
        ]

    def _list(self, request: Request, path: Json, _: int | None) -> Answer:
        if not self.lists_content and path["kind"] in ("schemas", "recommendations"):
            return NOT_FOUND
        rows = list(self.ledger.shown(path["kind"]))
        if self.newest_first:
            rows.reverse()
        wanted: dict[str, set[str]] = {}
        for name, value in request.params:
            wanted.setdefault(name, set()).add(value)
        if self.filters:
            for name, values in wanted.items():
                if name not in ("offset", "limit", "project_id"):
                    rows = [row for row in rows if str(row.get(name)) in values]
        if self.pages:
            offset, limit = (
                int(request.query.get(n, d)) for n, d in (("offset", 0), ("limit", 10_000))
            )
            rows = rows[offset : offset + min(limit, self.most_rows)]
        if self.empty_is_204 and not rows:
            return NO_CONTENT
        return Answer(200, {"items": rows, "total": len(rows)} if self.wraps_lists else rows)

    def _get(self, request: Request, path: Json, _: int | None) -> Answer:
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

    def _put(self, request: Request, path: Json, _: int | None) -> Answer:
        row = self._row(path)
        if row is None:
            return NO_CONTENT
        known = request.json if path["kind"] != "jobs" else self._job_fields(request.json)
        if path["kind"] == "workers":
            known = {**known, "last_status_check": self.ledger.now()}
        self.ledger.change(row, **known)
        return self._get(request, path, None)

    def _row(self, path: Json) -> Json | None:
        return self.ledger.table(path["kind"]).get(int(path["id"]))

    def _publish(self, request: Request, path: Json, _: int | None) -> Answer:
        absent = [name for name in ("name", "type", "visibility") if name not in request.json]
        if absent:
            return missing("body", *absent)
        if path["kind"] == "packs":
            return Answer(200, self.ledger.pack(self.ledger.add("packs", **request.json)))
        fields = {name: value for name, value in request.json.items() if name != "version"}
        row = self.ledger.add_source(fields.pop("name"), fields.pop("type"), **fields)
        return Answer(200, self.ledger.source(row))

    def _pack_version(self, request: Request, path: Json, _: int | None) -> Answer:
        absent = [name for name in ("sem_ver_id", "asset_id") if name not in request.query]
        if absent:
            return missing("query", *absent)
        row = self.ledger.add_pack_version(
            int(path["id"]), request.query["sem_ver_id"], int(request.query["asset_id"])
        )
        return Answer(200, row)

    def _asset(self, request: Request, path: Json, _: int | None) -> Answer:
        names = ("registry_id", "name", "version", "bucket", "type", "description")
        absent = [name for name in names if name not in request.query]
        if absent or "file" not in request.files:
            return missing("query", *absent) if absent else missing("body", "file")
        fields = {name: request.query[name] for name in names[1:]}
        key = (fields["name"], fields["version"], fields["bucket"])
        for row in self.ledger.rows("assets"):
            if (row["name"], row["version"], row["bucket"]) == key:
                return Answer(200, row)
        content = request.files["file"]
        place = "{bucket}/{name}/{version}/{name}.tar.gz".format(**fields)
        url = f"http://s3:8333/{place}"  # the worker takes names out of its path
        row = self.ledger.add("assets", **fields, url=url, size=len(content))
        self.ledger.files[row["id"]] = content
        return Answer(200, row)

    def _fetch(self, request: Request, path: Json, _: int | None) -> Answer:
        content = self.ledger.files.get(int(path["id"]))
        return NO_CONTENT if content is None else Answer(200, content)

    def _create_worker(self, request: Request, path: Json, _: int | None) -> Answer:
        now = self.ledger.now()
        row = self.ledger.add("workers", **request.json, registered_at=now, last_status_check=now)
        return Answer(201, row)

    def _job_fields(self, sent: Json) -> Json:
        """What is known of what was sent; ids come as texts, too."""
        fields = {name: value for name, value in sent.items() if name in _JOB_FIELDS}
        return {k: int(v) if k.endswith("_id") and v is not None else v for k, v in fields.items()}

    def _create_job(self, request: Request, path: Json, _: int | None) -> Answer:
        wanted = ["source_id", "pack_id"]
        if self.generation is not Generation.CURRENT:
            wanted.insert(1, "source_version_id")
        absent = [name for name in wanted if request.json.get(name) is None]
        if absent:
            return missing("body", *absent)
        fields = self._job_fields(request.json)
        row = self.ledger.add("jobs", **{"status": "pending", **fields})
        return Answer(201, self.ledger.job(row))

    def _ids(self, request: Request) -> Json | Answer:
        """The ids of an upload, where this generation looks for them."""
        names = ["source_id", "source_version_id", "pack_id", "pack_version_id"]
        if self.generation is Generation.CURRENT:
            names.remove("source_version_id")
        by_form = self.generation is Generation.FORM
        given, place = (request.form, "body") if by_form else (request.query, "query")
        absent = [name for name in names if name not in given]
        if absent:
            return missing(place, *absent)
        if "file" not in request.files:
            return missing("body", "file")
        return {name: int(given[name]) for name in names}

    def _upload(self, request: Request, path: Json, most_items: int | None) -> Answer:
        ids = self._ids(request)
        if isinstance(ids, Answer):
            return ids
        items: list[Any] = json.loads(request.files["file"])
        for item in items:
            if path["kind"] == "metrics" and isinstance(item["value"], (list, dict)):
                return Answer(422, {"detail": f"metric {item['key']}: value is no scalar"})
        for item in items[:most_items]:
            value = item.get("value")
            stored = value if value is None else {"value": str(value)}
            self.ledger.add(path["kind"], **{**item, **(stored or {}), **ids})
        return Answer(200, {"count": len(items)})

    def _figures(self, request: Request, path: Json, _: int | None) -> Answer:
        ids = self._ids(request)
        if isinstance(ids, Answer):
            return ids
        figures = json.loads(request.files["file"])["figures"]
        return Answer(200, {"accepted": len(figures), "rejected": []})

    def _output(self, request: Request, path: Json, _: int | None) -> Answer:
        content = request.files["file"]
        row = self.ledger.add(
            "outputs", job_id=int(path["id"]), name="report.html", size=len(content)
        )
        return Answer(200, row)
