"""The sandbox as platforms of other generations, and with lists that do as they please."""

from __future__ import annotations

from enum import Enum
from typing import Any

from atlas_dagster.qalita.sandbox.ledger import Ledger
from atlas_dagster.qalita.sandbox.routes import InvalidError, Route, Routes
from atlas_dagster.qalita.sandbox.wire import NO_CONTENT, NOT_FOUND, Answer, Json, Request, missing


class Generation(Enum):
    """What a platform wants of an upload, and where jobs are created."""

    CURRENT = "ids in the query; POST /jobs/create"
    VERSIONED = "ids in the query, a source's version too; POST /jobs/create"
    FORM = "ids as form fields, a source's version too; POST /jobs"


class AnyRoutes(Routes):
    """The sandbox's routes, and the switches of a test.

    ``filters`` and ``pages`` say whether lists obey them, ``most_rows`` caps a page,
    ``newest_first`` the order of lists, ``empty_is_204`` and ``wraps_lists`` their shape,
    ``lists_content`` whether schemas and recommendations can be listed at all; of an upload no
    more than ``most_items`` are stored.
    """

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self.generation = Generation.CURRENT
        self.filters = True
        self.pages = True
        self.most_rows = 10_000
        self.newest_first = True
        self.empty_is_204 = False
        self.wraps_lists = False
        self.lists_content = True
        self.most_items: int | None = None

    def routes(self) -> list[Route]:
        if self.generation is Generation.FORM:
            return [*self.shared_routes(), ("POST", "/api/v2/jobs", self.create_job)]
        return super().routes()

    def list_rows(self, request: Request, path: Json) -> Answer:
        if not self.lists_content and path["kind"] in ("schemas", "recommendations"):
            return NOT_FOUND
        rows: list[Json] = list(self.ledger.shown(path["kind"]))
        if self.newest_first:
            rows.reverse()
        if self.filters:
            rows = self.filtered(rows, request)
        if self.pages:
            offset, limit = (
                int(request.query.get(n, d)) for n, d in (("offset", 0), ("limit", 10_000))
            )
            rows = rows[offset : offset + min(limit, self.most_rows)]
        if self.empty_is_204 and not rows:
            return NO_CONTENT
        return Answer(200, {"items": rows, "total": len(rows)} if self.wraps_lists else rows)

    def job_ids(self) -> list[str]:
        if self.generation is Generation.CURRENT:
            return ["source_id", "pack_id"]
        return ["source_id", "source_version_id", "pack_id"]

    def ids(self, request: Request) -> dict[str, Any]:
        if self.generation is Generation.CURRENT:
            return super().ids(request)
        by_form = self.generation is Generation.FORM
        given, place = (request.form, "body") if by_form else (request.query, "query")
        names = ["source_id", "source_version_id", "pack_id", "pack_version_id"]
        absent = [name for name in names if name not in given]
        if absent:
            raise InvalidError(missing(place, *absent))
        return {name: int(given[name]) for name in names}

    def taken(self, items: list[Json]) -> list[Json]:
        return items[: self.most_items]
