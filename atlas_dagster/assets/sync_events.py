"""What Dagster is told of a server's job outside of a run, and what of it the event log has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import dagster as dg

from atlas_dagster.airbyte.events import server_metadata
from atlas_dagster.airbyte.job_info import SPEAKING, JobOutcome, StreamOutcome
from atlas_dagster.airbyte.sync_summary import server_summary
from atlas_dagster.airbyte.untold import UntoldJob
from atlas_dagster.assets.partitions import partition_of
from atlas_dagster.catalog import Connection

CLOCKS = timedelta(minutes=5)
"""How far the clocks of Airbyte and of Dagster may be apart."""

MOST_EVENTS_SINCE = 1000


@dataclass(frozen=True)
class Due:
    """An event that the log is to have; ``days`` are the partitions that its layers are due for."""

    event: dg.AssetMaterialization | dg.AssetObservation
    days: tuple[str, ...] = ()

    @property
    def key(self) -> dg.AssetKey:
        return self.event.asset_key


def due_events(job: UntoldJob, outcome: JobOutcome, connection: Connection) -> list[Due]:
    """The events of a job's streams.

    What a sync or a refresh completed is a materialization, as that of a run. Anything else has
    brought nothing that layers could be built from: an observation says what became of it.
    """
    page = server_summary(outcome)
    return [_due(job, outcome, synced, connection, page) for synced in outcome.streams]


def _due(
    job: UntoldJob, outcome: JobOutcome, synced: StreamOutcome, connection: Connection, page: str
) -> Due:
    key = dg.AssetKey(["airbyte", connection.slug, synced.stream.slug])
    shared: dict[str, Any] = {"atlas/ended_at": dg.MetadataValue.timestamp(outcome.ended_at)}
    if not job.run_id:
        shared["atlas/started_by"] = "airbyte"
    if outcome.kind in SPEAKING and synced.complete:
        metadata = {**server_metadata(outcome, synced, connection, page), **shared}
        days = sorted({partition_of(day) for day in synced.touched_days})
        event = dg.AssetMaterialization(asset_key=key, metadata=metadata)
        return Due(event, tuple(days) if connection.has_layers else ())
    metadata: dict[str, Any] = {
        "atlas/job_id": outcome.job_id,
        "atlas/job_type": outcome.kind,
        "atlas/status": outcome.status,
        "atlas/duration_seconds": (outcome.ended_at - outcome.created_at).total_seconds(),
        **({"atlas/failure": outcome.failure} if outcome.failure else {}),
        **shared,
    }
    text = outcome.failure or f"Airbyte's job {outcome.job_id} is a {outcome.kind}."
    return Due(dg.AssetObservation(asset_key=key, description=text, metadata=metadata))


def find_told(
    instance: dg.DagsterInstance, job_id: int, created_at: datetime, due: Sequence[Due]
) -> dict[dg.AssetKey, str]:
    """Of which assets the log has the event that is due, each with the run that it is of.

    The run is empty where the event is of none. One query for all of them; another only for an
    asset that has got other events since the job began.
    """
    if not due:
        return {}
    records = instance.get_asset_records([one.key for one in due])
    newest = {record.asset_entry.asset_key: record.asset_entry for record in records}
    beginning = (created_at - CLOCKS).timestamp()
    told: dict[dg.AssetKey, str] = {}
    for one in due:
        entry = newest.get(one.key)
        if entry is None:
            continue
        since = dg.AssetRecordsFilter(asset_key=one.key, after_timestamp=beginning)
        if isinstance(one.event, dg.AssetObservation):
            found = instance.fetch_observations(since, limit=MOST_EVENTS_SINCE).records
            run_id = _find(job_id, found)
        else:
            last = entry.last_materialization_record
            run_id = _find(job_id, [last] if last else [])
            if run_id is None and last and last.timestamp >= beginning:
                found = instance.fetch_materializations(since, limit=MOST_EVENTS_SINCE).records
                run_id = _find(job_id, found)
        if run_id is not None:
            told[one.key] = run_id
    return told


def _find(job_id: int, records: Iterable[dg.EventLogRecord]) -> str | None:
    """The run of the event that tells of the job."""
    for record in records:
        if _metadata(record).get("atlas/job_id") == dg.IntMetadataValue(job_id):
            return record.run_id
    return None


def _metadata(record: dg.EventLogRecord) -> Mapping[str, dg.MetadataValue[Any]]:
    told = record.asset_materialization or record.event_log_entry.asset_observation
    return told.metadata if told else {}
