"""The event log as the sensor `qalita` reads it: finished runs, and events of no run."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster._core.event_api import EventLogCursor

from atlas_dagster.assets.qalita_deliveries import Work, told_works
from atlas_dagster.assets.run_ends import RunEnd, ends_before
from atlas_dagster.assets.stream_work import (
    EVENT_TYPES,
    RunStatus,
    StreamWork,
    read_materialization,
    read_observation,
    read_stream_works,
)

OUTSIDE = "OUTSIDE_OF_RUNS"
"""What the cursor calls events of no run: those have the empty id as their run's."""

EVENTS_PER_QUERY = 1000

_STATUSES = {
    dg.DagsterEventType.RUN_SUCCESS.value: (RunStatus.SUCCEEDED, ""),
    dg.DagsterEventType.RUN_FAILURE.value: (RunStatus.FAILED, "the run ended before it was done"),
    dg.DagsterEventType.RUN_CANCELED.value: (RunStatus.CANCELLED, "cancelled"),
}
_TOLD = {dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.ASSET_OBSERVATION}


def read_works(
    instance: dg.DagsterInstance,
    after: Mapping[str, int],
    since: float,
    newest: float,
    deadline: float,
) -> Iterator[tuple[str, int, list[Work]]]:
    """What is new in the log: the cursor's name, its new value, and the works up to there.

    Where the cursor has no value yet, what is older than ``since`` is left out.
    """
    for end in ends_before(newest, instance, after, deadline, since):
        yield end.event_type, end.storage_id, run_works(instance, end)
    yield from _outside(instance, after.get(OUTSIDE), since, newest, deadline)


def run_works(instance: dg.DagsterInstance, end: RunEnd) -> list[Work]:
    """What a run that has ended did to streams."""
    status, failure = _STATUSES[end.event_type]
    works = read_stream_works(_events(instance, end.run_id))
    return [
        Work(work, status, end.at, end.run_id, end.run_id, failure) for work in told_works(works)
    ]


def _events(instance: dg.DagsterInstance, run_id: str) -> Iterator[tuple[float, dg.DagsterEvent]]:
    """The events of a run in their order; a backfill of a year has many."""
    cursor: str | None = None
    while True:
        page = instance.get_records_for_run(
            run_id, cursor=cursor, of_type=EVENT_TYPES, limit=EVENTS_PER_QUERY
        )
        for record in page.records:
            event = record.event_log_entry.dagster_event
            if event is not None:
                yield record.event_log_entry.timestamp, event
        if not page.has_more or not page.records:
            return
        cursor = page.cursor


def _outside(
    instance: dg.DagsterInstance, after: int | None, since: float, newest: float, deadline: float
) -> Iterator[tuple[str, int, list[Work]]]:
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
            work = None if is_first and at < since else _outside_work(record.event_log_entry)
            after = record.storage_id
            yield OUTSIDE, record.storage_id, [work] if work else []
        if len(page.records) < EVENTS_PER_QUERY:
            return


def _outside_work(entry: dg.EventLogEntry) -> Work | None:
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
    return Work(work, status, entry.timestamp, "", _origin(work, entry))


def _origin(work: StreamWork, entry: dg.EventLogEntry) -> str:
    """An Airbyte job by its number and connection, whoever tells of it; else the event."""
    metadata: Mapping[str, dg.MetadataValue[Any]] = next(iter(work.built.values()), work.told)
    job_id = metadata.get("atlas/job_id")
    if isinstance(job_id, dg.IntMetadataValue) and job_id.value:
        return f"job {job_id.value}"
    text = f"{entry.timestamp!r}"
    return f"event {hashlib.sha256(text.encode()).hexdigest()[:16]}"
