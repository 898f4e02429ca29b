"""From what runs did to events: a run an asset, one a layer's checks, one for Dagster's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import dagster as dg

from atlas_dagster.assets.asset_work import (
    SYNCED,
    AssetWork,
    Evaluation,
    Metadata,
    Part,
    Place,
    StepRun,
)
from atlas_dagster.assets.ended_works import OutsideWork
from atlas_dagster.assets.layer_assets import CHART_CHECKS, HISTORY_CHECKS
from atlas_dagster.assets.openlineage_datasets import (
    Surroundings,
    describe,
    label,
    number,
    read_by,
    table_of,
    written_by,
)
from atlas_dagster.assets.stream_work import RunStatus
from atlas_dagster.lineage.model import (
    Assertion,
    Dataset,
    Event,
    Job,
    Nulls,
    Parent,
    State,
)
from atlas_dagster.lineage.naming import job_name, run_id
from atlas_dagster.plain_text import without_values

_CHECKS = {"chart": CHART_CHECKS, "navigate": HISTORY_CHECKS}
_KINDS = {"missing": "not_null", "duplicate": "unique"}
_UNTOLD = "the reason is in Dagster"


@dataclass(frozen=True)
class DagsterRun:
    """A run of Dagster; ``status`` and ``ended_at`` are None while it works.

    ``started_id`` is its start in the event log, ``failure`` why what it left undone is so.
    ``cancelled_at`` is when someone asked it to stop: steps that fail after that are cut short.
    """

    run_id: str
    job: str
    started_at: float | None
    started_id: int
    status: RunStatus | None = None
    ended_at: float | None = None
    failure: str = ""
    cancelled_at: float | None = None

    def cut_short(self, step: StepRun) -> bool:
        """Whether a step ended because the run was cancelled."""
        if self.status is not RunStatus.CANCELLED or not step.failed:
            return False
        return self.cancelled_at is None or (step.ended_at or 0.0) >= self.cancelled_at


@dataclass(frozen=True)
class Start:
    """The event of a start, and its place in the event log.

    None: it has none of its own, or nobody could know of it then. Airbyte syncs a connection as a
    whole: that streams are synced which were not planned shows when they are materialized.
    """

    storage_id: int | None
    event: Event


@dataclass(frozen=True)
class _Told:
    """A run that lineage tells of; ``end`` is None while it works."""

    start: Start
    end: Event | None


def start_events(
    run: DagsterRun, works: Sequence[AssetWork], around: Surroundings, after: int, newest: int
) -> list[Event]:
    """The starts of a run that were logged after one place and up to another, in their order."""
    starts = _starts(_told(run, works, around))
    return [
        start.event
        for start in starts
        if start.storage_id is not None and after < start.storage_id <= newest
    ]


def run_events_of(
    run: DagsterRun, works: Sequence[AssetWork], around: Surroundings, announced: int
) -> list[Event]:
    """All events of a run that has ended, without the starts up to a place in the event log."""
    told = _told(run, works, around)
    starts = [
        start.event
        for start in _starts(told)
        if start.storage_id is None or start.storage_id > announced
    ]
    ends = sorted((each.end for each in told[1:] if each.end), key=lambda end: end.at)
    last = [each.end for each in told[:1] if each.end]  # that of Dagster's own run
    return [*starts, *ends, *last]


def outside_events(told: OutsideWork, around: Surroundings) -> list[Event]:
    """The events of a sync that Dagster did not start, or of what someone reported.

    An Airbyte that cannot be asked has no definitions: of such, an asset is ours that has a job.
    """
    work = told.work
    place = Place(work.connection, work.stream, work.part)
    metadata = next(iter(work.built.values()), work.told)
    known = around.known(place)
    if known is None and "atlas/job_id" not in metadata:
        return []
    owner = known.stream.connection_id if known else _text(metadata, "atlas/connection_id")
    origin = (around.namespace, owner or work.connection, told.origin)
    step = StepRun("", work.started_at, 0, work.ended_at, work.failed, work.failure)
    events: list[Event] = []
    for layer in sorted(work.planned):
        asset = AssetWork(layer, place, True, (), work.built.get(layer), (), step, ())
        run = DagsterRun("", "", None, 0, told.status, told.at)
        done = _build(run, asset, step, around, run_id(*origin, layer, label(place)))
        events += [done.start.event, *([done.end] if done.end else [])]
    return events


def _starts(told: Iterable[_Told]) -> list[Start]:
    """In the order of the log; those without a place in it last."""
    return sorted(
        (each.start for each in told),
        key=lambda start: (start.storage_id is None, start.storage_id or 0),
    )


def _told(run: DagsterRun, works: Sequence[AssetWork], around: Surroundings) -> list[_Told]:
    """What a run did; Dagster's own run comes first, and is told of where it is about ours."""
    told: list[_Told] = []
    for work in works:
        name = (work.layer, label(work.place))
        if work.building and work.building.started_at is not None and _builds(work):
            told.append(_build(run, work, work.building, around, run_id(run.run_id, *name)))
        if checked := _checks(run, work, around, run_id(run.run_id, "checks", *name)):
            told.append(checked)
    return [_dagster_run(run, told, around), *told] if works else []


def _builds(work: AssetWork) -> bool:
    return work.is_planned or work.metadata is not None


def _dagster_run(run: DagsterRun, told: Sequence[_Told], around: Surroundings) -> _Told:
    job = Job(around.namespace, run.job, "JOB", "DAGSTER", f"Dagster's job {run.job}.")
    first = min((each.start.event.at for each in told), default=run.ended_at or 0.0)
    at = run.started_at if run.started_at is not None else first
    start = Event(State.START, at, run.run_id, job, around.engine)
    if run.status is None or run.ended_at is None:
        return _Told(Start(run.started_id, start), None)
    failed = run.status is RunStatus.FAILED
    end = Event(
        _STATES[run.status],
        run.ended_at,
        run.run_id,
        job,
        around.engine,
        error=_error(next(_failures(told), run.failure)) if failed else None,
    )
    return _Told(Start(run.started_id, start), end)


def _failures(told: Iterable[_Told]) -> Iterator[str]:
    return (each.end.error for each in told if each.end and each.end.error)


_STATES = {
    RunStatus.SUCCEEDED: State.COMPLETE,
    RunStatus.FAILED: State.FAIL,
    RunStatus.CANCELLED: State.ABORT,
}


def _build(
    run: DagsterRun, work: AssetWork, step: StepRun, around: Surroundings, own_id: str
) -> _Told:
    """The build of an asset."""
    layer, place = work.layer, work.place
    is_sync = place.part is Part.SYNC
    job = Job(
        around.namespace,
        job_name(place.connection, place.stream, "sync" if is_sync else layer),
        "SYNC" if is_sync else "ASSET",
        "AIRBYTE" if is_sync else "DAGSTER",
        _job_description(layer, place),
        around.owners(place),
    )
    read, written = read_by(layer, place, around), written_by(layer, place, around, None)
    start = _event(run, State.START, step.started_at or 0.0, own_id, job, around, work.days)
    start = _with(start, read, written)
    begun = Start(step.started_id if work.is_planned else None, start)
    if run.status is None:
        return _Told(begun, None)
    state = _state(work, step, run, run.status)
    at = step.ended_at if step.ended_at is not None else run.ended_at or 0.0
    error = _error(step.failure or run.failure) if state is State.FAIL else None
    end = _event(run, state, at, own_id, job, around, work.days, error)
    if layer == "pii" and read:
        read = _checked(read, work.checks)
    if state is State.COMPLETE:
        written = written_by(layer, place, around, work.metadata)
    return _Told(begun, _with(end, read, written))


def _job_description(layer: str, place: Place) -> str:
    return f"Airbyte's sync of {label(place)}." if layer == SYNCED else describe(layer, place)


def _state(work: AssetWork, step: StepRun, run: DagsterRun, status: RunStatus) -> State:
    """How a build ended: a stream that a failed sync completed is complete."""
    if work.metadata is not None and (work.place.part is Part.SYNC or not step.failed):
        return State.COMPLETE
    if step.failed and not run.cut_short(step):
        return State.FAIL
    return _STATES[status]


def _checks(run: DagsterRun, work: AssetWork, around: Surroundings, own_id: str) -> _Told | None:
    """The checks of a layer, whichever steps made them; those of pii belong to the scan."""
    steps = [step for step in work.checking if step.started_at is not None]
    name = table_of(work.layer, work.place, around)
    if work.layer == "pii" or name is None or not (steps or work.checks):
        return None
    place = work.place
    job = Job(
        around.namespace,
        job_name(place.connection, place.stream, _CHECKS.get(work.layer, f"{work.layer}_checks")),
        "CHECK",
        "DAGSTER",
        f"The checks of {work.layer} of {label(place)}.",
        around.owners(place),
    )
    at = min((step.started_at or 0.0 for step in steps), default=None)
    if at is None:
        at = min(check.at for check in work.checks)
    start = _event(run, State.START, at, own_id, job, around, work.days)
    start = _with(start, Dataset(name), None)
    ids = [step.started_id for step in steps if step.started_id is not None]
    begun = Start(min(ids, default=None) if work.is_check_planned else None, start)
    if run.status is None:
        return _Told(begun, None)
    failed = [step for step in steps if step.failed and not run.cut_short(step)]
    unfinished = any(step.ended_at is None or run.cut_short(step) for step in steps)
    state = State.FAIL if failed else _STATES[run.status] if unfinished else State.COMPLETE
    ended = max(
        (step.ended_at or run.ended_at or 0.0 for step in steps),
        default=max((check.at for check in work.checks), default=at),
    )
    error = _error(failed[0].failure if failed else run.failure) if state is State.FAIL else None
    end = _event(run, state, ended, own_id, job, around, work.days, error)
    return _Told(begun, _with(end, _checked(Dataset(name), work.checks), None))


def _event(
    run: DagsterRun,
    state: State,
    at: float,
    own_id: str,
    job: Job,
    around: Surroundings,
    days: Sequence[str],
    error: str | None = None,
) -> Event:
    return Event(
        state,
        at,
        own_id,
        job,
        around.engine,
        parent=Parent(run.run_id, run.job) if run.run_id else None,
        days=(days[0], days[-1]) if days else None,
        error=error,
    )


def _with(event: Event, read: Dataset | None, written: Dataset | None) -> Event:
    return replace(event, inputs=(read,) if read else (), outputs=(written,) if written else ())


def _checked(dataset: Dataset, checks: Sequence[Evaluation]) -> Dataset:
    """A dataset with what came of its checks."""
    nulls = {
        column: Nulls(tested, failed)
        for check in checks
        if _text(check.metadata, "atlas/rule") == "missing"
        and (column := _text(check.metadata, "atlas/column"))
        and (tested := number(check.metadata, "atlas/rows_tested")) is not None
        and (failed := number(check.metadata, "atlas/rows_failed")) is not None
    }
    counted = [
        number(check.metadata, "atlas/value")
        for check in checks
        if _text(check.metadata, "atlas/rule") == "row_count"
    ]
    rows = next((count for count in counted if count is not None), None)
    return replace(dataset, assertions=tuple(map(_assertion, checks)), nulls=nulls, rows=rows)


def _assertion(check: Evaluation) -> Assertion:
    rule = _text(check.metadata, "atlas/rule")
    counts = {
        name: count
        for name in ("rows_tested", "rows_failed")
        if (count := number(check.metadata, f"atlas/{name}")) is not None
    }
    return Assertion(
        name=check.name,
        kind=_KINDS.get(rule, rule) or check.name,
        passed=check.passed,
        is_error=check.is_error,
        column=_text(check.metadata, "atlas/column") or None,
        counts=counts,
    )


def _text(metadata: Metadata, name: str) -> str:
    value = metadata.get(name)
    return value.value or "" if isinstance(value, dg.TextMetadataValue) else ""


def _error(text: str) -> str:
    """Why something failed, without what may be a value of the data."""
    return without_values(text) or _UNTOLD
