"""The event log as the sensor `openlineage` reads it: runs that work, and runs that have ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import dagster as dg
from dagster._core.event_api import EventLogCursor

from atlas_dagster.assets.asset_work import (
    EVENT_TYPES,
    AssetWork,
    Logged,
    read_asset_works,
    run_events,
)
from atlas_dagster.assets.ended_works import ENDINGS
from atlas_dagster.assets.openlineage_datasets import Surroundings
from atlas_dagster.assets.openlineage_events import DagsterRun, run_events_of, start_events
from atlas_dagster.assets.run_ends import FINISHED, RunEnd
from atlas_dagster.lineage.model import Event

NOTHING = -1
"""Before the first place of an event log."""

_STARTS = {dg.DagsterEventType.RUN_START, dg.DagsterEventType.STEP_START}
_BEGUN = {
    *_STARTS,
    dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
}
_ALL = {
    *EVENT_TYPES,
    *FINISHED,
    dg.DagsterEventType.RUN_START,
    dg.DagsterEventType.RUN_CANCELING,
}


def ended_events(
    instance: dg.DagsterInstance,
    end: RunEnd,
    around: Surroundings,
    told: Mapping[str, int],
    announced: int = NOTHING,
) -> list[Event]:
    """The events of a run that has ended, without starts up to a place in the log.

    A run that monitoring has failed may live on, and end again. ``told`` says by their types up to
    where in the log ends are told: of an older one than those nothing is left to tell, of a younger
    one what has changed since.
    """
    logged = list(run_events(instance, end.run_id, _ALL))
    others = [
        other
        for other in _ends(logged, end)
        if other.storage_id <= told.get(other.event_type, NOTHING)
    ]
    if any(other.storage_id > end.storage_id for other in others):
        return []
    before = {
        (event.run_id, event.state)
        for other in others
        if other.storage_id < end.storage_id
        for event in _events_until(other, logged, around, NOTHING)
    }
    events = _events_until(end, logged, around, announced)
    return [event for event in events if (event.run_id, event.state) not in before]


def _ends(logged: Iterable[Logged], end: RunEnd) -> Iterator[RunEnd]:
    """All ends of the run that has ended."""
    for each in logged:
        if each.event.event_type in FINISHED:
            kind = each.event.event_type.value
            yield replace(end, event_type=kind, storage_id=each.storage_id, at=each.at)


def _events_until(
    end: RunEnd, logged: Iterable[Logged], around: Surroundings, announced: int
) -> list[Event]:
    until = [each for each in logged if each.storage_id <= end.storage_id]
    run, works = _read(until, end.run_id, end.job_name, around)
    status, failure = ENDINGS[end.event_type]
    ended = replace(run, status=status, ended_at=end.at, failure=failure)
    return run_events_of(ended, works, around, announced)


def begun_events(
    instance: dg.DagsterInstance,
    run: dg.DagsterRun,
    around: Surroundings,
    after: int,
    newest: float,
) -> tuple[int, list[Event]]:
    """The starts of a run that works, after a place in the log: the newest place, and the events.

    What is younger than ``newest`` is left for later: an event may still come before it.
    """
    reached = after
    cursor = None if after < 0 else EventLogCursor.from_storage_id(after).to_string()
    for logged in run_events(instance, run.run_id, _STARTS, cursor):
        if logged.at > newest:
            break
        reached = logged.storage_id
    if reached == after:
        return after, []
    read, works = _read(run_events(instance, run.run_id, _BEGUN), run.run_id, run.job_name, around)
    return reached, start_events(read, works, around, after, reached)


def _read(
    events: Iterable[Logged], run_id: str, job: str, around: Surroundings
) -> tuple[DagsterRun, list[AssetWork]]:
    """A run, and what it did to assets that the definitions have."""
    logged = list(events)
    start = _first(logged, dg.DagsterEventType.RUN_START)
    canceling = _first(logged, dg.DagsterEventType.RUN_CANCELING)
    run = DagsterRun(
        run_id,
        job,
        started_at=start.at if start else None,
        started_id=start.storage_id if start else 0,
        cancelled_at=canceling.at if canceling else None,
    )
    return run, [work for work in read_asset_works(logged) if around.known(work.place)]


def _first(logged: Iterable[Logged], kind: dg.DagsterEventType) -> Logged | None:
    return next((each for each in logged if each.event.event_type is kind), None)
