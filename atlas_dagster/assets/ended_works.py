"""How runs end, and what the event log has of no run: read by sensors that tell others of it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster._core.event_api import EventLogCursor

from atlas_dagster.assets.asset_work import EVENTS_PER_QUERY
from atlas_dagster.assets.stream_work import (
    RunStatus,
    StreamWork,
    read_materialization,
    read_observation,
)

OUTSIDE = "OUTSIDE_OF_RUNS"
"""What cursors call events of no run: those have the empty id as their run's."""

ENDINGS = {
    dg.DagsterEventType.RUN_SUCCESS.value: (RunStatus.SUCCEEDED, ""),
    dg.DagsterEventType.RUN_FAILURE.value: (RunStatus.FAILED, "the run ended before it was done"),
    dg.DagsterEventType.RUN_CANCELED.value: (RunStatus.CANCELLED, "cancelled"),
}
"""How a run ended by the type of the event that ended it, and why what it left undone is so."""

_TOLD = {dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.ASSET_OBSERVATION}


@dataclass(frozen=True)
class OutsideWork:
    """Work that an event of no run tells of; ``origin`` names it once and for all."""

    work: StreamWork
    status: RunStatus
    at: float
    origin: str


def read_outside(
    instance: dg.DagsterInstance, after: int | None, since: float, newest: float, deadline: float
) -> Iterator[tuple[int, OutsideWork | None]]:
    """Events of no run after a place in the log, oldest first: their places, and works of ours.

    Without a place, what is older than ``since`` is left out. Times are in seconds since 1970,
    the deadline is one of the monotonic clock.
    """
    is_first = after is None
    while time.monotonic() < deadline:
        page = instance.get_records_for_run(
            "",
            cursor=None if after is None else EventLogCursor.from_storage_id(after).to_string(),
            of_type=_TOLD,
            limit=EVENTS_PER_QUERY,
        )
        for record in page.records:
            at = record.event_log_entry.timestamp
            if at > newest:
                return
            after = record.storage_id
            yield after, None if is_first and at < since else _work(record.event_log_entry)
        if len(page.records) < EVENTS_PER_QUERY:
            return


def _work(entry: dg.EventLogEntry) -> OutsideWork | None:
    """The work of a server's job, or of what someone reported by Dagster's REST API."""
    event = entry.dagster_event
    if event is None or event.asset_key is None:
        return None
    if event.event_type is dg.DagsterEventType.ASSET_OBSERVATION:
        observed = event.asset_observation_data.asset_observation
        found = read_observation(event.asset_key, observed.metadata, entry.timestamp)
    else:
        told = event.step_materialization_data.materialization
        work = read_materialization(event.asset_key, told.metadata, entry.timestamp)
        found = (work, RunStatus.SUCCEEDED) if work else None
    if found is None:
        return None
    work, status = found
    return OutsideWork(work, status, entry.timestamp, _origin(work, entry))


def _origin(work: StreamWork, entry: dg.EventLogEntry) -> str:
    """An Airbyte job by its number and connection, whoever tells of it; else the event."""
    metadata: Mapping[str, dg.MetadataValue[Any]] = next(iter(work.built.values()), work.told)
    job_id = metadata.get("atlas/job_id")
    if isinstance(job_id, dg.IntMetadataValue) and job_id.value:
        return f"job {job_id.value}"
    text = f"{entry.timestamp!r}"
    return f"event {hashlib.sha256(text.encode()).hexdigest()[:16]}"
