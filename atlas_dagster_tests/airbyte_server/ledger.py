"""What a test's Airbyte server knows: one workspace, its connections and their jobs, in memory."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

Json = dict[str, Any]
StreamKey = tuple[str, str | None]

POSTGRES_DEFINITION = "25c5221d-dce2-4163-ade9-739ef790f503"
ALIVE = ("pending", "queued", "running", "incomplete")
FIRST_JOB = datetime(2026, 1, 1, tzinfo=timezone.utc)


@dataclass
class Stats:
    """What a sync did to one stream; the name is the source's, without the prefix."""

    name: str
    namespace: str | None = None
    emitted: int = 0
    committed: int = 0
    bytes: int = 0
    status: str = "COMPLETE"


@dataclass
class Attempt:
    """One try at a job."""

    status: str = "running"
    stats: list[Stats] = field(default_factory=list)
    failures: list[Json] = field(default_factory=list)


@dataclass
class Job:
    """A job: each look at it moves it on to the next status of its script, up to the last."""

    id: int
    connection_id: str
    created_at: datetime
    updated_at: datetime
    type: str = "sync"
    status: str = "pending"
    script: list[str] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    refreshed: list[StreamKey] = field(default_factory=list)
    lands: Callable[[Job], None] | None = None

    @property
    def is_alive(self) -> bool:
        return self.status in ALIVE

    def look(self) -> None:
        """Move on to the next status."""
        if self.script:
            self.status = self.script.pop(0)
            self.updated_at += timedelta(seconds=30)
            if not self.is_alive and self.lands:
                self.lands(self)


@dataclass
class Connection:
    """A connection as Airbyte stores it; ``entries`` are those of its `syncCatalog`."""

    id: str
    name: str
    source_id: str
    destination_id: str
    entries: list[Json]
    status: str = "active"
    prefix: str | None = None
    namespace_definition: str = "destination"
    namespace_format: str | None = None
    schedule_type: str = "manual"
    cron: str | None = None

    @property
    def streams(self) -> list[StreamKey]:
        return [(e["stream"]["name"], e["stream"].get("namespace")) for e in self.entries]


@dataclass(frozen=True)
class NextSync:
    """How the next sync of a connection will go; ``lands`` is called when it ends."""

    script: Sequence[str] = ("running", "succeeded")
    attempts: Sequence[Attempt] = ()
    lands: Callable[[Job], None] | None = None


@dataclass
class Ledger:
    """The workspace. ``names`` of connections may repeat, as they may in Airbyte."""

    workspace_id: str = "9924bcd0-99be-453d-ba47-c2c9766f7da5"
    connections: dict[str, Connection] = field(default_factory=dict)
    destinations: dict[str, Json] = field(default_factory=dict)
    jobs: dict[int, Job] = field(default_factory=dict)
    states: dict[str, Json] = field(default_factory=dict)
    next_syncs: dict[str, list[NextSync]] = field(default_factory=dict)
    next_job_id: int = 1000
    first_job_at: datetime = FIRST_JOB

    def add_destination(self, kind: str = "postgres", **configuration: Any) -> str:
        """A destination; returns its id."""
        destination_id = str(
            uuid.uuid5(uuid.NAMESPACE_OID, f"destination {len(self.destinations)}")
        )
        self.destinations[destination_id] = {
            "destinationId": destination_id,
            "name": f"the {kind}",
            "destinationType": kind,
            "definitionId": POSTGRES_DEFINITION
            if kind in ("postgres", "")
            else str(uuid.uuid5(uuid.NAMESPACE_OID, kind)),
            "workspaceId": self.workspace_id,
            "createdAt": 1700000000,
            "configuration": {
                "destinationType": kind,  # Airbyte's SDK tells configurations apart by it
                "host": "db",
                "port": 5432,
                "database": "atlas",
                "schema": "landing",
                "username": "airbyte",
                "password": "**********",
                **configuration,
            },
        }
        return destination_id

    def add_connection(
        self, name: str, *entries: Json, destination_id: str | None = None, **more: Any
    ) -> Connection:
        """A connection of these streams, into a Postgres of its own unless one is given."""
        number = len(self.connections)
        connection = Connection(
            id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"connection {number}")),
            name=name,
            source_id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"source {number}")),
            destination_id=destination_id or self.add_destination(),
            entries=list(entries),
            **more,
        )
        self.connections[connection.id] = connection
        return connection

    def plan(
        self,
        connection: Connection,
        *script: str,
        attempts: Sequence[Attempt] = (),
        lands: Callable[[Job], None] | None = None,
    ) -> None:
        """Say how the next sync of a connection goes: its statuses, and what its attempts do."""
        planned = NextSync(script or NextSync.script, attempts, lands)
        self.next_syncs.setdefault(connection.id, []).append(planned)

    def running(self, connection_id: str) -> Job | None:
        """The job of a connection that has not ended."""
        mine = (job for job in self.jobs.values() if job.connection_id == connection_id)
        return next((job for job in mine if job.is_alive), None)

    def start_job(self, connection_id: str, kind: str = "sync") -> Job:
        """Open a job, to go as planned; unplanned it succeeds, with a record a stream."""
        planned = self.next_syncs.get(connection_id) or [NextSync()]
        plan = planned.pop(0)
        created = self.first_job_at + timedelta(hours=self.next_job_id - 1000)
        job = Job(
            id=self.next_job_id,
            connection_id=connection_id,
            created_at=created,
            updated_at=created,
            type=kind,
            script=list(plan.script),
            attempts=list(plan.attempts) or [self._simple_attempt(connection_id)],
            lands=plan.lands,
        )
        self.next_job_id += 1
        self.jobs[job.id] = job
        return job

    def finished_job(self, connection: Connection, kind: str, status: str = "succeeded") -> Job:
        """A job that somebody else started, and that has ended."""
        job = self.start_job(connection.id, kind)
        job.script = [status]
        job.look()
        return job

    def _simple_attempt(self, connection_id: str) -> Attempt:
        streams = self.connections[connection_id].streams
        return Attempt(
            "succeeded", [Stats(name, namespace, 1, 1, 10) for name, namespace in streams]
        )


def stream(
    name: str,
    properties: Mapping[str, Any] | None = None,
    *,
    namespace: str | None = None,
    sync_mode: str = "incremental",
    destination_mode: str = "append_dedup",
    key: str | None = "id",
    cursor: str | None = None,
    **config: Any,
) -> Json:
    """An entry of a `syncCatalog`."""
    fields = {"id": {"type": "integer"}} if properties is None else dict(properties)
    return {
        "stream": {
            "name": name,
            "namespace": namespace,
            "jsonSchema": {"type": "object", "properties": fields},
            "supportedSyncModes": ["full_refresh", "incremental"],
            "sourceDefinedCursor": False,
            "defaultCursorField": [],
            "sourceDefinedPrimaryKey": [[key]] if key else [],
            "isResumable": False,
        },
        "config": {
            "syncMode": sync_mode,
            "destinationSyncMode": destination_mode,
            "cursorField": [cursor] if cursor else [],
            "primaryKey": [[key]] if key else [],
            "aliasName": name,
            "selected": True,
            "suggested": False,
            "fieldSelectionEnabled": False,
            "selectedFields": [],
            "hashedFields": [],
            "mappers": [],
            "generationId": 1,
            "minimumGenerationId": 0,
            **config,
        },
    }


def failure(message: str | None, kind: str = "system_error", **more: Any) -> Json:
    """An entry of a `failureSummary`."""
    return {
        "failureOrigin": "source",
        "failureType": kind,
        "externalMessage": message,
        "internalMessage": "java.lang.IllegalStateException: password=hunter2",
        "stacktrace": "at io.airbyte.Worker",
        "retryable": True,
        "timestamp": 1767225600000,
        **more,
    }
