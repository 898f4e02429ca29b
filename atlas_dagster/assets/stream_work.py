"""What a run did to streams, read from its events: their syncs and their layer runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, cast

import dagster as dg

from atlas_dagster.assets.layer_assets import AFTER_SYNC

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


class Part(str, Enum):
    """What of a stream a job is about."""

    SYNC = "sync"
    LAYERS = "layers"


class RunStatus(str, Enum):
    """How a run ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


Metadata = Mapping[str, dg.MetadataValue[Any]]


@dataclass(frozen=True)
class Evaluation:
    """How a check on a layer went."""

    layer: str
    name: str
    passed: bool
    is_error: bool
    description: str


@dataclass(frozen=True)
class StreamWork:
    """A sync or a layer run of a stream; ``stream`` is None of a connection as a whole.

    ``built`` holds metadata by layer, of all partitions together, ``failure`` what the step said
    that failed, ``told`` what is known of work that left nothing. Times are in seconds since 1970,
    ``started_at`` is None where no step started.
    """

    connection: str
    stream: str | None
    part: Part
    planned: frozenset[str]
    built: Mapping[str, Metadata]
    checks: tuple[Evaluation, ...]
    started_at: float | None
    ended_at: float | None
    failed: bool
    failure: str
    told: Metadata = field(default_factory=dict[str, "dg.MetadataValue[Any]"])

    @property
    def is_whole(self) -> bool:
        """Whether all that was planned is there."""
        return (
            not self.failed and bool(self.built or self.checks) and self.planned <= set(self.built)
        )


@dataclass
class _Step:
    started_at: float | None = None
    ended_at: float | None = None
    failed: bool = False
    failure: str = ""


@dataclass
class _Work:
    planned: set[str] = field(default_factory=set[str])
    steps: set[str] = field(default_factory=set[str])
    built: dict[str, dict[str, dg.MetadataValue[Any]]] = field(
        default_factory=dict[str, "dict[str, dg.MetadataValue[Any]]"]
    )
    checks: dict[tuple[str, str], Evaluation] = field(
        default_factory=dict[tuple[str, str], Evaluation]
    )


_Key = tuple[str, "str | None", Part]


def read_stream_works(events: Iterable[tuple[float, dg.DagsterEvent]]) -> list[StreamWork]:
    """The work of a run, by its events and their times; in the order in which it was planned."""
    works: dict[_Key, _Work] = {}
    steps: dict[str, _Step] = {}
    for at, event in events:
        _read(works, steps, at, event)
    return [_finished(key, work, steps) for key, work in works.items()]


def read_materialization(key: dg.AssetKey, metadata: Metadata, at: float) -> StreamWork | None:
    """The work that a materialization outside of a run tells of; None: it is none of ours."""
    known = stream_of(key)
    if known is None:
        return None
    layer, place = known
    seconds = metadata.get("atlas/duration_seconds")
    length = seconds.value if isinstance(seconds, dg.FloatMetadataValue) else None
    return StreamWork(
        *place,
        planned=frozenset({layer}),
        built={layer: metadata},
        checks=(),
        started_at=at - (length or 0.0),
        ended_at=at,
        failed=False,
        failure="",
    )


def read_observation(
    key: dg.AssetKey, metadata: Metadata, at: float
) -> tuple[StreamWork, RunStatus] | None:
    """The work of an Airbyte job that did not succeed, and how it ended; None: it is none."""
    known, status = stream_of(key), metadata.get("atlas/status")
    ended = _FAILURES.get(str(status.value)) if isinstance(status, dg.TextMetadataValue) else None
    if known is None or ended is None:
        return None
    layer, place = known
    said = metadata.get("atlas/failure")
    failure = str(said.value) if isinstance(said, dg.TextMetadataValue) else ""
    work = StreamWork(
        *place,
        planned=frozenset({layer}),
        built={},
        checks=(),
        started_at=at,
        ended_at=at,
        failed=ended is RunStatus.FAILED,
        failure=failure,
        told=metadata,
    )
    return work, ended


_FAILURES = {
    "failed": RunStatus.FAILED,
    "incomplete": RunStatus.FAILED,
    "cancelled": RunStatus.CANCELLED,
}


def stream_of(key: dg.AssetKey) -> tuple[str, _Key] | None:
    """The layer, and the stream and part, of an asset; None: it is none of ours."""
    path = key.path
    if path[0] == SYNCED and len(path) in (2, 3):
        return SYNCED, (path[1], path[2] if len(path) == 3 else None, Part.SYNC)
    if path[0] in AFTER_SYNC and len(path) == 3:
        return path[0], (path[1], path[2], Part.LAYERS)
    return None


def _read(
    works: dict[_Key, _Work], steps: dict[str, _Step], at: float, event: dg.DagsterEvent
) -> None:
    kind = event.event_type
    if kind in _STEP_ENDS or kind is dg.DagsterEventType.STEP_START:
        _read_step(steps.setdefault(event.step_key or "", _Step()), at, event)
        return
    evaluation = None
    key = event.asset_key
    if kind is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        evaluation = event.asset_check_evaluation_data
        key = evaluation.asset_key
    elif kind is dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED:
        key = event.asset_check_planned_data.asset_key
    known = stream_of(key) if key else None
    if known is None:
        return
    layer, place = known
    work = works.setdefault(place, _Work())
    if event.step_key:
        work.steps.add(event.step_key)
    if kind is dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED:
        work.planned.add(layer)
    elif kind is dg.DagsterEventType.ASSET_MATERIALIZATION:
        told = event.step_materialization_data.materialization.metadata
        work.built.setdefault(layer, {}).update(told)
    elif evaluation and evaluation.metadata.get("atlas/status") != _NOT_CHECKED:
        work.checks[layer, evaluation.check_name] = Evaluation(
            layer=layer,
            name=evaluation.check_name,
            passed=evaluation.passed,
            is_error=evaluation.severity is dg.AssetCheckSeverity.ERROR,
            description=evaluation.description or "",
        )


_NOT_CHECKED = dg.TextMetadataValue("not_checked")
"""Of a check that had nothing to test: it has neither passed nor failed."""

_STEP_ENDS = (dg.DagsterEventType.STEP_SUCCESS, dg.DagsterEventType.STEP_FAILURE)


def _read_step(step: _Step, at: float, event: dg.DagsterEvent) -> None:
    if event.event_type is dg.DagsterEventType.STEP_START:
        step.started_at = at if step.started_at is None else step.started_at
        return
    step.ended_at = at
    step.failed = event.is_step_failure
    if step.failed:
        step.failure = _failure(event)


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


def _finished(key: _Key, work: _Work, steps: Mapping[str, _Step]) -> StreamWork:
    own = [steps[name] for name in work.steps if name in steps]
    failed = [step for step in own if step.failed]
    return StreamWork(
        *key,
        planned=frozenset(work.planned),
        built=cast("Mapping[str, Metadata]", work.built),
        checks=tuple(work.checks.values()),
        started_at=min(_times(step.started_at for step in own), default=None),
        ended_at=max(_times(step.ended_at for step in own), default=None),
        failed=bool(failed),
        failure=failed[0].failure if failed else "",
    )


def _times(times: Iterable[float | None]) -> Iterator[float]:
    return (time for time in times if time is not None)
