"""What a run did to assets, read from its events: what it built and checked, and by which step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

import dagster as dg

from atlas_dagster.assets.layer_assets import AFTER_SYNC
from atlas_dagster.assets.partitions import is_day

SYNCED = "airbyte"
"""The first part of the asset keys of what lands."""

EVENT_TYPES = {
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
    dg.DagsterEventType.STEP_START,
    dg.DagsterEventType.STEP_SUCCESS,
    dg.DagsterEventType.STEP_FAILURE,
}
"""What is to be read of a run."""

EVENTS_PER_QUERY = 1000

Metadata = Mapping[str, dg.MetadataValue[Any]]


class Logged(NamedTuple):
    """An event, when it was logged (seconds since 1970), and its place in the log."""

    storage_id: int
    at: float
    event: dg.DagsterEvent


class Part(str, Enum):
    """What of a stream a job is about."""

    SYNC = "sync"
    LAYERS = "layers"


class Place(NamedTuple):
    """The stream that an asset is of, None of a connection as a whole, and what of it."""

    connection: str
    stream: str | None
    part: Part


@dataclass(frozen=True)
class Evaluation:
    """How a check on a layer went, at ``at`` in seconds since 1970."""

    layer: str
    name: str
    passed: bool
    is_error: bool
    description: str
    at: float = 0.0
    metadata: Metadata = field(default_factory=dict[str, "dg.MetadataValue[Any]"])


@dataclass(frozen=True)
class StepRun:
    """A step of a run; None where it did not come so far. ``started_id`` is its start in the log.

    Times are in seconds since 1970; ``failure`` is what the step said that failed.
    """

    key: str
    started_at: float | None = None
    started_id: int | None = None
    ended_at: float | None = None
    failed: bool = False
    failure: str = ""


@dataclass(frozen=True)
class AssetWork:
    """What a run did to an asset; ``metadata`` is of all partitions together, None: not built.

    ``days`` are the partitions that it was planned for; ``building`` is the step that builds it,
    ``checking`` are those that only check it. What was not planned was not known of at the start.
    """

    layer: str
    place: Place
    is_planned: bool
    days: tuple[str, ...]
    metadata: Metadata | None
    checks: tuple[Evaluation, ...]
    building: StepRun | None
    checking: tuple[StepRun, ...]
    is_check_planned: bool = False

    @property
    def steps(self) -> tuple[StepRun, ...]:
        return (*((self.building,) if self.building else ()), *self.checking)


@dataclass
class _Work:
    planned: bool = False
    days: list[str] = field(default_factory=list[str])
    building: str | None = None
    checking: list[str] = field(default_factory=list[str])
    check_planned: bool = False
    metadata: dict[str, dg.MetadataValue[Any]] | None = None
    checks: dict[str, Evaluation] = field(default_factory=dict[str, Evaluation])


@dataclass
class _Step:
    started: Logged | None = None
    ended: Logged | None = None


_Works = dict[tuple[str, Place], _Work]


def run_events(
    instance: dg.DagsterInstance,
    run_id: str,
    of_type: set[dg.DagsterEventType],
    after: str | None = None,
) -> Iterator[Logged]:
    """The events of a run in their order, from a cursor of the log on; a long backfill has many."""
    cursor = after
    while True:
        page = instance.get_records_for_run(
            run_id, cursor=cursor, of_type=of_type, limit=EVENTS_PER_QUERY
        )
        for record in page.records:
            event = record.event_log_entry.dagster_event
            if event is not None:
                yield Logged(record.storage_id, record.event_log_entry.timestamp, event)
        if not page.has_more or not page.records:
            return
        cursor = page.cursor


def read_asset_works(events: Iterable[Logged]) -> list[AssetWork]:
    """The work of a run, an entry an asset with a key as ours have, in the order of its plan.

    The event log is of the whole instance: others may have such keys too.
    """
    works: _Works = {}
    steps: dict[str, _Step] = {}
    for logged in events:
        kind = logged.event.event_type
        if kind is dg.DagsterEventType.STEP_START or kind in _STEP_ENDS:
            _read_step(steps.setdefault(logged.event.step_key or "", _Step()), logged)
        else:
            _read_asset(works, logged)
    runs = {key: _step_run(key, step) for key, step in steps.items()}
    return [_finished(layer, place, work, runs) for (layer, place), work in works.items()]


def place_of(key: dg.AssetKey) -> tuple[str, Place] | None:
    """The layer of an asset, and what it is of; None: it has no key as ours have."""
    path = key.path
    if path[0] == SYNCED and len(path) in (2, 3):
        return SYNCED, Place(path[1], path[2] if len(path) == 3 else None, Part.SYNC)
    if path[0] in AFTER_SYNC and len(path) == 3:
        return path[0], Place(path[1], path[2], Part.LAYERS)
    return None


def _read_asset(works: _Works, logged: Logged) -> None:
    event, kind = logged.event, logged.event.event_type
    evaluation, key = None, event.asset_key
    if kind is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        evaluation = event.asset_check_evaluation_data
        key = evaluation.asset_key
    elif kind is dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED:
        key = event.asset_check_planned_data.asset_key
    known = place_of(key) if key else None
    if known is None:
        return
    layer, _ = known
    work = works.setdefault(known, _Work())
    if kind is dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED:
        work.planned, work.building = True, event.step_key or work.building
        if event.partition and is_day(event.partition):
            work.days.append(event.partition)
    elif kind is dg.DagsterEventType.ASSET_MATERIALIZATION:
        work.building = work.building or event.step_key
        told = event.step_materialization_data.materialization.metadata
        if work.metadata is None:
            work.metadata = {}
        work.metadata.update(told)
    elif event.step_key:
        work.checking.append(event.step_key)
        work.check_planned |= kind is dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED
    if evaluation and evaluation.metadata.get("atlas/status") != _NOT_CHECKED:
        work.checks[evaluation.check_name] = Evaluation(
            layer=layer,
            name=evaluation.check_name,
            passed=evaluation.passed,
            is_error=evaluation.severity is dg.AssetCheckSeverity.ERROR,
            description=evaluation.description or "",
            at=logged.at,
            metadata=evaluation.metadata,
        )


_NOT_CHECKED = dg.TextMetadataValue("not_checked")
"""Of a check that had nothing to test: it has neither passed nor failed."""

_STEP_ENDS = (dg.DagsterEventType.STEP_SUCCESS, dg.DagsterEventType.STEP_FAILURE)


def _read_step(step: _Step, logged: Logged) -> None:
    if logged.event.event_type is dg.DagsterEventType.STEP_START:
        step.started = step.started or logged
    else:
        step.ended = logged


def _step_run(key: str, step: _Step) -> StepRun:
    failed = step.ended is not None and step.ended.event.is_step_failure
    return StepRun(
        key,
        started_at=step.started.at if step.started else None,
        started_id=step.started.storage_id if step.started else None,
        ended_at=step.ended.at if step.ended else None,
        failed=failed,
        failure=_failure(step.ended.event) if step.ended and failed else "",
    )


def _failure(event: dg.DagsterEvent) -> str:
    """What a step says of its failure: its own words, else the class of the exception."""
    told = event.step_failure_data
    if told.user_failure_data and told.user_failure_data.description:
        return told.user_failure_data.description
    error = told.error and (told.error.cause or told.error)
    if error is None:
        return ""
    if error.cls_name == dg.Failure.__name__:
        return error.message.removeprefix("dagster._core.definitions.events.Failure: ")
    return str(error.cls_name)


def _finished(layer: str, place: Place, work: _Work, steps: Mapping[str, StepRun]) -> AssetWork:
    checking = [key for key in dict.fromkeys(work.checking) if key != work.building]
    return AssetWork(
        layer,
        place,
        is_planned=work.planned,
        days=tuple(sorted(set(work.days))),
        metadata=work.metadata,
        checks=tuple(work.checks.values()),
        building=steps.get(work.building) if work.building else None,
        checking=_known(checking, steps),
        is_check_planned=work.check_planned,
    )


def _known(keys: Sequence[str], steps: Mapping[str, StepRun]) -> tuple[StepRun, ...]:
    return tuple(steps[key] for key in keys if key in steps)
