"""The calls to QALITA that Atlas makes, and what each answers.

Two generations of the platform are spoken to: those that want ids in the query and create jobs at
``/jobs/create``, and those that want them as form fields, with a version of the source, and
create jobs at ``/jobs``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar, cast

import msgspec

from atlas_dagster.errors import QalitaError, QalitaUnavailableError
from atlas_dagster.qalita.content import Json, Kind
from atlas_dagster.qalita.http import Call, QalitaHttp
from atlas_dagster.qalita.objects import (
    Job,
    JobStatus,
    Pack,
    Source,
    Target,
    Visibility,
    as_date,
    as_time,
    is_id,
    parse_pack,
    parse_source,
)

PAGE_ROWS = 1000
MOST_PAGES = 100

_NO_SUCH_PATH = (404, 405)
_JOB_PATHS = ("/api/v2/jobs/create", "/api/v2/jobs")

_T = TypeVar("_T")


class QalitaApi:
    """A platform; what its methods raise, QalitaHttp.send describes."""

    def __init__(self, http: QalitaHttp) -> None:
        self.http = http
        self._job_path: str | None = None

    def version(self) -> str:
        """The version of the platform, such as ``3.2.1``."""
        call = Call("GET", "/api/v1/version")
        version = self._object(call, self.http.read(call)).get("version")
        if not isinstance(version, str):
            raise self.http.garbage(call, "no version")
        return version

    def sources(self) -> list[Source]:
        """All sources that we may see."""
        return self._all("/api/v2/sources", parse_source)

    def source(self, source_id: int) -> Source | None:
        """A source; None where there is none, or we may not see it."""
        return self._one(f"/api/v2/sources/{source_id}", parse_source)

    def find_source(self, name: str, kind: str) -> Source | None:
        """The source of that name and type; the oldest where there are several."""
        found = [s for s in self.sources() if (s.name, s.type) == (name, kind)]
        return min(found, key=lambda source: source.id, default=None)

    def publish_source(
        self, name: str, kind: str, description: str, visibility: Visibility = Visibility.INTERNAL
    ) -> int:
        """Publish a source; returns its id. Not idempotent: look it up before."""
        body = {
            "name": name,
            "type": kind,
            "description": description,
            "reference": False,
            "sensitive": False,
            "visibility": visibility.value,
            "version": "1.0.0",  # older platforms make the first version of it
        }
        call = Call("POST", "/api/v1/sources/publish", json=body, may_repeat=False)
        return self._id(call, self._object(call, self.http.read(call)))

    def packs(self) -> list[Pack]:
        """All packs that we may see."""
        return self._all("/api/v2/packs", parse_pack)

    def pack(self, pack_id: int) -> Pack | None:
        """A pack; None where there is none, or we may not see it."""
        return self._one(f"/api/v2/packs/{pack_id}", parse_pack)

    def create_job(
        self, target: Target, name: str, started_at: datetime, status: JobStatus = JobStatus.RUNNING
    ) -> Job:
        """Create a job. Not idempotent: look it up by its name before."""
        body = {
            "name": name,
            **target.ids(),
            "status": status.value,
            "start_date": as_date(started_at),
        }
        for path in (self._job_path,) if self._job_path else _JOB_PATHS:
            call = Call("POST", path, json=body, may_repeat=False)
            try:
                answer = self._object(call, self.http.read(call))
            except QalitaError as error:
                if error.status in _NO_SUCH_PATH and path != _JOB_PATHS[-1] and not self._job_path:
                    continue
                raise
            self._job_path = path
            job_id = self._id(call, answer)
            return Job(job_id, name, status.value, as_time(answer.get("created_at")))
        raise AssertionError("the last path either answers or raises")

    def update_job(
        self,
        job_id: int,
        status: JobStatus,
        ended_at: datetime | None = None,
        error_message: str | None = None,
    ) -> None:
        """Say how a job stands; may be said twice."""
        body: Json = {"status": status.value}
        if ended_at is not None:
            body["end_date"] = as_date(ended_at)
        if error_message:
            body["error_message"] = error_message
        self.http.send(Call("PUT", f"/api/v2/jobs/{job_id}", json=body))

    def find_job(self, target: Target, name: str) -> Job | None:
        """The job of that name; the oldest where there are several."""
        wanted = {"source_id": target.source_id, "pack_id": target.pack_id, "name": name}
        found = [
            Job(row["id"], name, row.get("status"), as_time(row.get("created_at")))
            for row in self._rows("/api/v2/jobs", wanted)
            if row.get("name") == name and _belongs(row, target) and is_id(row.get("id"))
        ]
        return min(found, key=lambda job: job.id, default=None)

    def upload(self, kind: Kind, target: Target, items: Sequence[Json]) -> None:
        """Upload items in one file. Not idempotent: look them up before."""
        ids = target.ids()
        self.http.send(
            Call(
                "POST",
                f"/api/v1/{kind.value}/upload",
                params=ids,
                form={name: str(value) for name, value in ids.items()},
                file=(f"{kind.value}.json", msgspec.json.encode(items)),
                may_repeat=False,
            )
        )

    def uploaded(self, kind: Kind, target: Target, since: datetime | None = None) -> list[Json]:
        """What the platform has for a source and a pack, since an instant by its own clock."""
        wanted = {"source_id": target.source_id, "pack_id": target.pack_id}
        return [
            row
            for row in self._rows(f"/api/v2/{kind.value}", wanted, since)
            if _belongs(row, target) and not _is_before(row, since)
        ]

    def _rows(
        self, path: str, wanted: Mapping[str, str | int], since: datetime | None = None
    ) -> Iterator[Json]:
        """The rows of a list, a page at a time; those before ``since`` may be left out.

        Filters and pages are asked for, and not relied on. Raises QalitaUnavailableError where
        they do not end.
        """
        seen: set[bytes] = set()
        for _ in range(MOST_PAGES):
            params = {**wanted, "offset": len(seen), "limit": PAGE_ROWS}
            rows = self._list(Call("GET", path, params=params))
            fresh = {mark: row for row in rows if (mark := _mark(row)) not in seen}
            yield from fresh.values()
            seen.update(fresh)
            if not fresh or _ends_before(rows, since):
                return
        raise QalitaUnavailableError(
            f"GET {path} of QALITA has no end: {len(seen):,} rows in {MOST_PAGES} pages"
        )

    def _all(self, path: str, parse: Callable[[Json], _T]) -> list[_T]:
        call = Call("GET", path)
        return [self._parsed(call, row, parse) for row in self._list(call)]

    def _one(self, path: str, parse: Callable[[Json], _T]) -> _T | None:
        call = Call("GET", path)
        answer = self.http.read(call)
        return None if answer is None else self._parsed(call, self._object(call, answer), parse)

    def _parsed(self, call: Call, row: Json, parse: Callable[[Json], _T]) -> _T:
        try:
            return parse(row)
        except (AttributeError, KeyError, TypeError, ValueError):
            raise self.http.garbage(call, "what is not of the known shape") from None

    def _list(self, call: Call) -> list[Json]:
        """A list as it is, or within an object; nothing (204) is an empty one."""
        answer = self.http.read(call)
        if isinstance(answer, dict):
            fields = cast("Json", answer)
            answer = next((fields[n] for n in ("items", "data", "results") if n in fields), fields)
        if answer is None:
            return []
        if not isinstance(answer, list):
            raise self.http.garbage(call, "what is no list")
        rows = cast("list[Any]", answer)
        if not all(isinstance(row, dict) for row in rows):
            raise self.http.garbage(call, "what is no list of objects")
        return rows

    def _object(self, call: Call, answer: object) -> Json:
        if not isinstance(answer, dict):
            raise self.http.garbage(call, "what is no JSON object")
        return cast("Json", answer)

    def _id(self, call: Call, answer: Json) -> int:
        found = answer.get("id")
        if not is_id(found):
            raise self.http.garbage(call, "no id")
        return found


def _mark(row: Json) -> bytes:
    """What tells a row from others that were answered."""
    return msgspec.json.encode(row["id"] if row.get("id") is not None else row)


def _belongs(row: Json, target: Target) -> bool:
    """Whether a row is of the source and the pack, by its ids or by what is nested in it."""
    return all(
        _named_id(row, name) in (None, str(wanted))
        for name, wanted in (("source", target.source_id), ("pack", target.pack_id))
    )


def _named_id(row: Json, name: str) -> str | None:
    nested = row.get(name)
    found = row.get(f"{name}_id")
    if found is None and isinstance(nested, dict):
        found = cast("Json", nested).get("id")
    return None if found is None else str(found)


def _is_before(row: Json, since: datetime | None) -> bool:
    created = as_time(row.get("created_at"))
    return since is not None and created is not None and created < since


def _ends_before(rows: Sequence[Json], since: datetime | None) -> bool:
    """Whether rows come newest first, and the last of them is from before."""
    if since is None:
        return False
    times = [time for row in rows if (time := as_time(row.get("created_at")))]
    ordered = all(a >= b for a, b in itertools.pairwise(times))
    return ordered and len(times) == len(rows) and times[-1] < since
