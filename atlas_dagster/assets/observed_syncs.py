"""The sensor `observed_syncs`: syncs that Dagster did not start, and those whose run died.

Dagster writes a tick's events before it saves the tick: a tick that is cut off between is evaluated
again. So what is due is compared with the event log first, and a job counts as told only once the
log has all of its events and the layer runs are requested.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

import dagster as dg
import msgspec

from atlas_dagster.airbyte.snapshot import IndexReader
from atlas_dagster.airbyte.untold import UntoldJob, load_outcome, load_untold, mark_told
from atlas_dagster.assets.layer_runs import (
    BUDGET_SECONDS,
    day_request,
    is_awaited,
    layers_job_name,
    sync_origin,
)
from atlas_dagster.assets.sync_events import Due, due_events, find_told
from atlas_dagster.catalog import Connection
from atlas_dagster.catalog_store import load_connection
from atlas_dagster.errors import WarehouseError
from atlas_dagster.settings import AirbyteServer, Settings
from atlas_dagster.warehouse import PgConnection, connect, migrate, resolve_session_url

if TYPE_CHECKING:
    from datetime import datetime

    from atlas_dagster.airbyte.server import AirbyteApi

MOST_EVENTS = 500
"""The daemon writes a tick's events one by one."""

REQUEST_SECONDS = 10.0

RUN_KEY_TAG = "dagster/run_key"


@dataclass
class Told:
    """What a tick tells; ``notes`` say what has to wait, and for what."""

    events: list[dg.AssetMaterialization | dg.AssetObservation] = field(
        default_factory=list["dg.AssetMaterialization | dg.AssetObservation"]
    )
    requests: dict[tuple[str, str], dg.RunRequest] = field(
        default_factory=dict[tuple[str, str], dg.RunRequest]
    )
    marked: list[UntoldJob] = field(default_factory=list[UntoldJob])
    notes: list[str] = field(default_factory=list[str])


def build_observed_syncs_sensor(
    settings: Settings, jobs: Sequence[dg.JobDefinition]
) -> dg.SensorDefinition:
    """The sensor; ``jobs`` are those of layers that it may request."""
    names = {job.name for job in jobs}
    reader = IndexReader(settings)
    ask = impatient_api(settings.airbyte)

    def observed_syncs(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        from atlas_dagster.airbyte.observe import SyncCursor, first_cursor, observe

        deadline = time.monotonic() + BUDGET_SECONDS
        known = context.cursor
        cursor = msgspec.json.decode(known, type=SyncCursor) if known else first_cursor()
        with connect(
            resolve_session_url(settings), application="atlas observed_syncs"
        ) as warehouse:
            migrate(warehouse)
            observed = observe(settings, ask(), warehouse, cursor, deadline)
            index = reader.read()
            slugs = {stored.id: stored.slug for stored in index.connections} if index else {}
            teller = _Teller(context.instance, warehouse, slugs, names, cursor.since)
            told = teller.tell(deadline)
        text = _summary(observed.recorded, told, observed.notes)
        if told.requests:
            context.log.info(text)
        return dg.SensorResult(
            run_requests=list(told.requests.values()),
            asset_events=told.events,
            cursor=msgspec.json.encode(observed.cursor).decode(),
            skip_reason=None if told.requests else text,
        )

    return dg.SensorDefinition(
        name="observed_syncs",
        evaluation_fn=observed_syncs,
        description="Materializes what Airbyte synced without Dagster, or after its run died, and"
        " requests the layers of the days that it touched.",
        jobs=list(jobs) or None,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )


def impatient_api(server: AirbyteServer | None) -> Callable[[], AirbyteApi]:
    """A client for ticks, made when it is asked for and kept: it has a pool, and a token."""

    @cache
    def ask() -> AirbyteApi:
        from atlas_dagster.airbyte.http import AirbyteHttp
        from atlas_dagster.airbyte.observe import IMPATIENT
        from atlas_dagster.airbyte.server import AirbyteApi

        assert server
        seconds = min(server.request_seconds, REQUEST_SECONDS)
        return AirbyteApi(AirbyteHttp(replace(server, request_seconds=seconds), IMPATIENT))

    return ask


class _Teller:
    """Compares what is due with what Dagster has, job by job."""

    def __init__(
        self,
        instance: dg.DagsterInstance,
        warehouse: PgConnection,
        slugs: Mapping[str, str],
        layer_jobs: Collection[str],
        since: datetime,
    ) -> None:
        self._instance = instance
        self._warehouse = warehouse
        self._slugs = slugs
        self._layer_jobs = layer_jobs
        self._since = since
        self._catalogs: dict[str, Connection | None] = {}
        self._told = Told()

    def tell(self, deadline: float) -> Told:
        """Tell what is due, each connection's jobs in their order, and mark what is known."""
        jobs = load_untold(self._warehouse, self._slugs)
        alive = self._alive(jobs)
        waiting: set[str] = set()
        for job in jobs:
            if len(self._told.events) >= MOST_EVENTS or time.monotonic() >= deadline:
                self._told.notes.append("not all is told yet")
                break
            if job.connection_id in waiting:
                continue
            if job.run_id in alive or not self._tell_job(job):
                waiting.add(job.connection_id)
        if self._told.marked:
            mark_told(self._warehouse, self._told.marked)
        return self._told

    def _alive(self, jobs: Sequence[UntoldJob]) -> set[str | None]:
        """The runs that may still tell of their jobs themselves."""
        run_ids = {job.run_id for job in jobs if job.run_id}
        if not run_ids:
            return set()
        records = self._instance.get_run_records(dg.RunsFilter(run_ids=[*run_ids]))
        runs = [record.dagster_run for record in records]
        return {run.run_id for run in runs if not run.is_finished}

    def _tell_job(self, job: UntoldJob) -> bool:
        """Tell what is missing of a job; False where it, and what comes after it, has to wait."""
        told = self._told
        if job.ended_at < self._since:
            told.marked.append(job)
            return True
        slug = self._slugs[job.connection_id]
        catalog = self._catalog(job)
        if catalog is None:
            told.notes.append(f"job {job.job_id} of {slug} waits for the connection's catalog")
            return False
        due = due_events(job, load_outcome(self._warehouse, job, catalog), catalog)
        known = find_told(self._instance, job.job_id, job.created_at, due)
        requests = self._layer_requests(job, slug, due, known)
        missing = [one.event for one in due if one.key not in known]
        told.events += missing
        if requests and layers_job_name(slug) not in self._layer_jobs:
            told.notes.append(f"{slug} is new, and its layers wait: reload the code location")
        else:
            told.requests.update({(slug, str(r.partition_key)): r for r in requests})
        if not missing and not requests:
            told.marked.append(job)
        return True

    def _layer_requests(
        self, job: UntoldJob, slug: str, due: Sequence[Due], known: Mapping[dg.AssetKey, str]
    ) -> list[dg.RunRequest]:
        """The layer runs that are still to be requested.

        Those of what the job's own run materialized are for the sensor `layer_runs`.
        """
        days = {
            day
            for one in due
            if not job.run_id or known.get(one.key) != job.run_id
            for day in one.days
        }
        requests = [
            day_request(slug, sync_origin(job.job_id), day, requested_by_sync=str(job.job_id))
            for day in sorted(days)
        ]
        if not requests:
            return []
        keys = [str(request.run_key) for request in requests]
        records = self._instance.get_run_records(dg.RunsFilter(tags={RUN_KEY_TAG: keys}))
        requested = {record.dagster_run.tags.get(RUN_KEY_TAG) for record in records}
        recorded_at = job.recorded_at.timestamp()
        return [
            request
            for request in requests
            if request.run_key not in requested
            and not is_awaited(self._instance, request, recorded_at)
        ]

    def _catalog(self, job: UntoldJob) -> Connection | None:
        """The connection as of its last sync."""
        slug = self._slugs[job.connection_id]
        if slug not in self._catalogs:
            try:
                found = load_connection(self._warehouse, slug)
            except WarehouseError:  # a sync was recorded, and the newest not yet
                found = None
            self._catalogs[slug] = found if found and found.id == job.connection_id else None
        return self._catalogs[slug]


def _summary(recorded: int, told: Told, notes: Sequence[str]) -> str:
    """One line of what a tick did."""
    did = [
        f"{count} {what}"
        for count, what in (
            (recorded, "jobs recorded"),
            (len(told.events), "events told"),
            (len(told.marked), "jobs known"),
        )
        if count
    ]
    said = [", ".join(did) or "nothing new", *dict.fromkeys([*notes, *told.notes])]
    return "; ".join(said)
