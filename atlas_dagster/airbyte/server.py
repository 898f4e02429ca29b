"""The calls to an Airbyte server that Atlas makes, and what each answers.

Shapes: airbytehq/airbyte-platform, airbyte-api/server-api/src/main/openapi, api.yaml (the public
API, at the REST URL) and config.yaml (the configuration API).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

from atlas_dagster.airbyte.http import AirbyteHttp, Json
from atlas_dagster.errors import AirbyteError, ConfigError

PAGE_ITEMS = 100
JOB_KINDS = (None, "refresh", "clear")
"""What `GET /jobs` has to be asked for: unasked, it lists syncs and resets, and no others."""

EMPTY_PAGES = 3  # so many in a row are the end, whatever they say of a next one


class AirbyteApi:
    """Both APIs of a server; what its methods raise, AirbyteHttp.request describes."""

    def __init__(self, http: AirbyteHttp) -> None:
        self._http = http
        self.workspace_id = http.server.workspace_id

    def check_workspace(self) -> None:
        """Raise ConfigError where the server has no such workspace: lists of it are just empty."""
        try:
            self._get(f"workspaces/{self.workspace_id}")
        except AirbyteError as error:
            if error.status not in (400, 403, 404, 422):
                raise
            host = urlsplit(self._http.server.rest_url).netloc
            raise ConfigError(
                f"AIRBYTE_WORKSPACE_ID: Airbyte at {host} shows no workspace {self.workspace_id}"
            ) from None

    def connections(self) -> list[Json]:
        """All connections of the workspace, each once, as `GET /connections` has them."""
        found = self._pages("connections", {"workspaceIds": self.workspace_id})
        return list({str(c.get("connectionId")): c for c in found}.values())

    def connection(self, connection_id: str) -> Json:
        """The answer of `connections/get`, with catalog and modes."""
        return self._post("connections/get", {"connectionId": connection_id})

    def connection_for_job(self, connection_id: str, job_id: int) -> Json:
        """The answer of `connections/getForJob`: the connection as it was for a job."""
        body = {"connectionId": connection_id, "jobId": job_id}
        return self._post("connections/getForJob", body)

    def destination(self, destination_id: str) -> Json:
        """The answer of `GET /destinations/{id}`."""
        return self._get(f"destinations/{destination_id}")

    def jobs(self, connection_id: str, most: int = 20) -> list[Json]:
        """The newest jobs of a connection, of all kinds, newest first, as `GET /jobs` has them."""
        params = {"connectionId": connection_id, "limit": most, "orderBy": "createdAt|DESC"}
        items = [item for kinds in JOB_KINDS for item in self._jobs(params, kinds)]
        return sorted(items, key=lambda job: int(job["jobId"]), reverse=True)[:most]

    def jobs_updated_since(self, kinds: str | None, since: datetime, offset: int = 0) -> list[Json]:
        """A page of the workspace's jobs of some of JOB_KINDS, that which changed first first."""
        instant = since.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        params = {
            "workspaceIds": self.workspace_id,
            "updatedAtStart": instant,
            "orderBy": "updatedAt|ASC",
            "limit": PAGE_ITEMS,
            "offset": offset,
        }
        return self._jobs(params, kinds)

    def start_sync(self, connection_id: str) -> Json:
        """The answer of `POST /jobs`; nothing is sent again that may have started a sync."""
        return self._http.request(
            "POST",
            f"{self._http.server.rest_url}/jobs",
            body={"connectionId": connection_id, "jobType": "sync"},
            may_repeat=False,
        )

    def job(self, job_id: int) -> Json:
        """The answer of `GET /jobs/{id}`."""
        return self._get(f"jobs/{job_id}")

    def cancel(self, job_id: int) -> Json:
        """The answer of `DELETE /jobs/{id}`."""
        return self._http.request("DELETE", f"{self._http.server.rest_url}/jobs/{job_id}")

    def job_info(self, job_id: int) -> Json:
        """The answer of `jobs/get_without_logs`: attempts, counts a stream, failures."""
        return self._post("jobs/get_without_logs", {"id": job_id})

    def stream_statuses(self, job_id: int) -> list[Json]:
        """What `stream_statuses/list` has of a job, over all of its attempts."""
        body = {
            "workspaceId": self.workspace_id,
            "jobId": job_id,
            "pagination": {"pageSize": 10_000, "rowOffset": 0},
        }
        answer = self._post("stream_statuses/list", body)
        return _items({"data": answer.get("streamStatuses")}, "stream_statuses/list")

    def state(self, connection_id: str) -> bytes:
        """The answer of `state/get`, as it was sent."""
        url = f"{self._http.server.configuration_url}/state/get"
        return self._http.content("POST", url, {"connectionId": connection_id})

    def put_state(self, state: bytes) -> bytes:
        """The answer of `state/create_or_update_safe`, as it was sent: the state as it is then.

        A piece that is null is deleted, one that is not named stays. Airbyte answers 423 while it
        syncs the connection.
        """
        url = f"{self._http.server.configuration_url}/state/create_or_update_safe"
        return self._http.content("POST", url, state)

    def _jobs(self, params: Mapping[str, str | int], kinds: str | None) -> list[Json]:
        """A page of jobs; none of a kind that the server does not know."""
        query = params if kinds is None else {**params, "jobType": kinds}
        try:
            return _items(self._get("jobs", query), "jobs")
        except AirbyteError as error:
            if kinds is None or error.status not in (400, 422):
                raise
            return []

    def _pages(self, what: str, params: Mapping[str, str | int]) -> list[Json]:
        """All items of a list.

        Airbyte names a next page after every page that is not empty, by a host that may not be
        ours: only its query is followed.
        """
        items: list[Json] = []
        query: dict[str, str | int] = {"limit": PAGE_ITEMS, "offset": 0, **params}
        empty = 0
        while empty < EMPTY_PAGES:
            answer = self._get(what, query)
            page = _items(answer, what)
            empty = 0 if page else empty + 1
            items += page
            following = answer.get("next")
            if not isinstance(following, str) or not following:
                break
            named = dict(parse_qsl(urlsplit(following).query))
            if page and str(named.get("offset")) == str(query["offset"]):
                break
            query = {**query, **named}
        return items

    def _get(self, path: str, params: Mapping[str, str | int] | None = None) -> Json:
        return self._http.request("GET", f"{self._http.server.rest_url}/{path}", params=params)

    def _post(self, path: str, body: Mapping[str, Any]) -> Json:
        """Ask the configuration API, whose questions are all POST."""
        url = f"{self._http.server.configuration_url}/{path}"
        return self._http.request("POST", url, body=body)


def _items(answer: Json, what: str) -> list[Json]:
    found: object = answer.get("data")
    if found is None:
        return []
    items = cast("Sequence[object]", found) if isinstance(found, list) else [None]
    if not all(isinstance(item, dict) for item in items):
        raise AirbyteError(f"Airbyte answered {what} with what is no list of objects")
    return cast("list[Json]", list(items))
