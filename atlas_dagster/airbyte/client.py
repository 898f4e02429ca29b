"""Airbyte's client without Airbyte: the calls of dagster-airbyte, answered in this process."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import psycopg
from dagster import get_dagster_logger
from dagster_airbyte.resources import AirbyteClient
from dagster_airbyte.translator import AirbyteJob
from dagster_airbyte.types import AirbyteOutput
from dagster_shared.utils.warnings import disable_dagster_warnings
from pydantic import PrivateAttr

from atlas_dagster.airbyte import catalogs, connectors, jobs
from atlas_dagster.airbyte.jobs import Job, StreamSync
from atlas_dagster.airbyte.sync import StreamCount, Sync
from atlas_dagster.config import EmbeddedConnection, load_connections
from atlas_dagster.counted import counted
from atlas_dagster.errors import ConfigError, WarehouseError
from atlas_dagster.settings import Settings
from atlas_dagster.warehouse import PgConnection, connect, migrate, resolve_session_url, resolve_url

POLL_SECONDS = 0.2
PROGRESS_SECONDS = 2.0
CANCEL_SECONDS = 30.0

Json = Mapping[str, Any]


class EmbeddedAirbyteClient(AirbyteClient):
    """The AirbyteClient of embedded connections, over the job ledger in PostgreSQL.

    Its answers have the shapes of Airbyte's API. The calls that definitions need touch neither
    database nor network. Syncs run in threads of this process.
    """

    _settings: Settings = PrivateAttr()
    _connections: dict[str, EmbeddedConnection] = PrivateAttr()
    _run_id: str | None = PrivateAttr(default=None)
    _syncs: dict[int, Sync] = PrivateAttr(default_factory=dict[int, Sync])
    _ledger: PgConnection | None = PrivateAttr(default=None)
    _ledger_lock: threading.Lock = PrivateAttr(default_factory=threading.Lock)
    _told_at: float = PrivateAttr(default=0.0)
    _told_stage: str = PrivateAttr(default="")
    _told: list[StreamCount] = PrivateAttr(default_factory=list[StreamCount])

    def __init__(self, **values: Any) -> None:
        with disable_dagster_warnings():  # that AirbyteClient is in beta
            super().__init__(**values)

    @classmethod
    def open(cls, settings: Settings) -> EmbeddedAirbyteClient:
        """A client of the connections in ``config/connections.yaml``."""
        client = cls(
            rest_api_base_url="embedded",
            configuration_api_base_url="embedded",
            workspace_id=catalogs.WORKSPACE_ID,
            request_max_retries=0,
            request_retry_delay=0,
            request_timeout=1,
            poll_interval=POLL_SECONDS,
        )
        client._settings = settings
        client._connections = {c.id: c for c in load_connections(settings)}
        return client

    @property
    def _log(self) -> logging.Logger:
        """Without the debug message a poll that dagster-airbyte writes into the event log."""
        logger = get_dagster_logger("airbyte")
        logger.setLevel(logging.INFO)
        return logger

    def serve_run(self, run_id: str) -> None:
        """Note in the ledger which Dagster run starts the next syncs."""
        self._run_id = run_id

    def embedded_connections(self) -> Sequence[EmbeddedConnection]:
        """The connections of this workspace."""
        return tuple(self._connections.values())

    def has_connection(self, connection_id: str) -> bool:
        """Whether the connection is one of this workspace."""
        return connection_id in self._connections

    def validate_workspace_id(self) -> None:
        """There is one workspace, and it exists."""

    def get_connections(self) -> Sequence[Json]:
        """The answer of `GET /connections`."""
        return [
            {
                "connectionId": c.id,
                "name": c.name,
                "workspaceId": self.workspace_id,
                "destinationId": catalogs.destination_id(c),
                "status": "active",
            }
            for c in self._connections.values()
        ]

    def get_connection_details(self, connection_id: str) -> Json:
        """The answer of `connections/get`, with the catalog as last discovered."""
        connection = self._connection(connection_id)
        catalog = connectors.known_catalog(connection, self._settings.data_dir)
        return catalogs.connection_details(connection, catalog)

    def get_destination_details(self, destination_id: str) -> Json:
        """The answer of `GET /destinations/{id}`."""
        for connection in self._connections.values():
            if catalogs.destination_id(connection) == destination_id:
                return catalogs.destination_details(connection, self._settings)
        raise ConfigError(f"there is no embedded destination {destination_id}")

    def get_jobs_for_connection(
        self, connection_id: str, created_after: datetime | None = None
    ) -> Sequence[AirbyteJob]:
        """The jobs of a connection; those that a dead process left running are failed by now."""
        since = created_after and created_after.astimezone(timezone.utc)  # it comes in local time
        with self._ledger_lock:
            found = jobs.load_all(self._open_ledger(), connection_id, since)
        return [AirbyteJob.from_job_details(_job_json(job)) for job in found]

    def sync_and_poll(self, connection_id: str) -> AirbyteOutput:
        """Sync to the end; raises BusyError where another run is at it, in our words."""
        recently = datetime.now(timezone.utc) - timedelta(days=2)  # as far back as our parent looks
        with self._ledger_lock:
            found = jobs.load_all(self._open_ledger(), connection_id, recently)
        if any(job.ended_at is None for job in found):
            raise jobs.busy(self._connection(connection_id).slug)
        return super().sync_and_poll(connection_id)

    def start_sync_job(self, connection_id: str) -> Json:
        """Start a sync; the answer of `POST /jobs`. Raises BusyError where one is running."""
        connection = self._connection(connection_id)
        with self._ledger_lock:
            self._open_ledger()  # starts and migrates the warehouse where needed
        url = resolve_session_url(self._settings)
        sync = Sync(connection, self._settings, url, self._run_id)
        self._syncs[sync.job_id] = sync
        sync.start()
        return self.get_job_details(sync.job_id)

    def get_job_details(self, job_id: int) -> Json:
        """The answer of `GET /jobs/{id}`; for a sync of ours its progress goes to the log."""
        sync = self._syncs.get(job_id)
        if sync is not None:
            self._tell_progress(sync)
        try:
            return _job_json(self._job(job_id))
        except (psycopg.Error, WarehouseError):
            if sync is None:
                raise
            return _unreachable_job_json(sync)

    def get_job_stats(self, job_id: int) -> Json:
        """The answer of `jobs/get_without_logs`: counts a stream, and the reason of a failure."""
        job = self._job(job_id)
        return _stats_json(job, self.get_streams(job))

    def get_job(self, job_id: int) -> Job:
        """A job as the ledger has it."""
        return self._job(job_id)

    def get_streams(self, job: Job) -> list[StreamSync]:
        """What a job has done to each stream."""
        with self._ledger_lock:
            return jobs.load_streams(self._open_ledger(), job.connection_id, job.job_id)

    def get_database(self) -> str:
        """The name of the database that syncs write to."""
        with self._ledger_lock:
            return self._open_ledger().info.dbname

    def cancel_job(self, job_id: int) -> Json:
        """Stop a sync, wherever it runs; the answer of `DELETE /jobs/{id}`."""
        sync = self._syncs.get(job_id)
        if sync is not None:
            sync.cancel()
            sync.join(CANCEL_SECONDS)
        else:
            with self._ledger_lock:
                jobs.request_cancel(self._open_ledger(), list(self._connections), job_id)
        return self.get_job_details(job_id)

    def newest_sync(self, connection_id: str) -> Sync | None:
        """The last sync of a connection that this client started."""
        started = [i for i, sync in self._syncs.items() if sync.embedded.id == connection_id]
        return self._syncs[max(started)] if started else None

    def _connection(self, connection_id: str) -> EmbeddedConnection:
        try:
            return self._connections[connection_id]
        except KeyError:
            raise ConfigError(f"there is no embedded connection {connection_id}") from None

    def _job(self, job_id: int) -> Job:
        with self._ledger_lock:
            job = jobs.load(self._open_ledger(), list(self._connections), job_id)
        if job is None:
            raise WarehouseError(f"there is no sync with job id {job_id}")
        return job

    def _open_ledger(self) -> PgConnection:
        if self._ledger is None or self._ledger.closed or self._ledger.broken:
            self._ledger = connect(resolve_url(self._settings), application="atlas ledger")
            migrate(self._ledger)
        return self._ledger

    def _tell_progress(self, sync: Sync) -> None:
        while sync.notes:
            level, text = sync.notes.popleft()
            self._log.log(logging.WARNING if level.startswith("WARN") else logging.ERROR, text)
        if sync.stage != self._told_stage:
            self._told_stage = sync.stage
            self._log.info(sync.stage)
        ended = sync.status != "running"
        if ended or time.monotonic() - self._told_at >= PROGRESS_SECONDS:
            self._told_at = time.monotonic()
            counts = sync.counts()
            for count in counts:
                if count not in self._told:
                    records = counted(count.records, "record")
                    self._log.info(f"{count.name}: {records}, {counted(count.states, 'state')}")
            self._told = counts


def _job_json(job: Job) -> Json:
    details = {
        "jobId": job.job_id,
        "status": job.status,
        "jobType": "sync",
        "startTime": _zulu(job.created_at),
        "connectionId": job.connection_id,
        "duration": f"PT{(job.updated_at - job.created_at).total_seconds():.0f}S",
        "bytesSynced": job.bytes_committed,
        "rowsSynced": job.records_committed,
    }
    if job.ended_at is not None:
        details["lastUpdatedAt"] = _zulu(job.ended_at)
    return details


def _unreachable_job_json(sync: Sync) -> Json:
    """A job whose ledger cannot be read: what its own thread says."""
    now = _zulu(datetime.now(timezone.utc))
    return {
        "jobId": sync.job_id,
        "status": sync.status,
        "jobType": "sync",
        "startTime": now,
        "connectionId": sync.embedded.id,
    }


def _stats_json(job: Job, streams: Sequence[StreamSync]) -> Json:
    per_stream = [
        {
            "streamName": s.name,
            **({"streamNamespace": s.namespace} if s.namespace else {}),
            **_counts(s),
        }
        for s in streams
    ]
    totals = {
        key: sum(int(stream[key]) for stream in per_stream)
        for key in ("recordsEmitted", "bytesEmitted", "recordsCommitted", "bytesCommitted")
    }
    created, updated = int(job.created_at.timestamp()), int(job.updated_at.timestamp())
    attempt = {
        "id": 0,
        "status": job.status,
        "createdAt": created,
        "updatedAt": updated,
        **({"endedAt": updated} if job.ended_at else {}),
        "bytesSynced": totals["bytesCommitted"],
        "recordsSynced": totals["recordsCommitted"],
        "totalStats": totals,
        "streamStats": [
            {
                "streamName": s.name,
                **({"streamNamespace": s.namespace} if s.namespace else {}),
                "stats": _counts(s),
            }
            for s in streams
        ],
        **_failure_summary(job, streams),
    }
    return {
        "job": {
            "id": job.job_id,
            "configType": "sync",
            "configId": job.connection_id,
            "createdAt": created,
            "updatedAt": updated,
            "startedAt": created,
            "status": job.status,
            "enabledStreams": [
                {"name": s.name, **({"namespace": s.namespace} if s.namespace else {})}
                for s in streams
            ],
            "aggregatedStats": totals,
            "streamAggregatedStats": per_stream,
        },
        "attempts": [{"attempt": attempt}],
    }


def _counts(stream: StreamSync) -> dict[str, int]:
    return {
        "recordsEmitted": stream.records_emitted,
        "bytesEmitted": stream.bytes_emitted,
        "recordsCommitted": stream.records_committed,
        "bytesCommitted": stream.bytes_committed,
    }


def _failure_summary(job: Job, streams: Sequence[StreamSync]) -> dict[str, Any]:
    if job.failure is None:
        return {}
    failure = {
        "failureOrigin": "source",
        "failureType": "manual_cancellation" if job.status == "cancelled" else "system_error",
        "externalMessage": job.failure,
        "timestamp": int(job.updated_at.timestamp() * 1000),
    }
    partial = any(stream.records_committed for stream in streams)
    return {"failureSummary": {"failures": [failure], "partialSuccess": partial}}


def _zulu(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
