"""Which layer runs a finished run leaves to do: the days that it touched and did not cover.

A sync that crosses midnight, a sync without its layers, late rows that explore finds: whatever run
brings record versions of a day into landing or explore, a run of that day's layers follows, once.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import dagster as dg
import msgspec

from atlas_dagster.assets.layer_assets import AFTER_SYNC, CHART_CHECKS, step_name
from atlas_dagster.assets.metadata import TOUCHED_DAYS
from atlas_dagster.assets.partitions import PARTITION_TAG, partition_of_key
from atlas_dagster.assets.run_ends import SETTLE_SECONDS, ends_before, settled

BUDGET_SECONDS = 40.0
"""A tick is cut off after 60 s, and its cursor is lost then."""

WAITING = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
)


class LayerRunsCursor(msgspec.Struct, frozen=True):
    """Up to which event of each type finished runs have been read."""

    after: dict[str, int] = {}


@dataclass(frozen=True, order=True)
class StreamDay:
    """A partition of a stream's layers."""

    connection: str
    stream: str
    day: str


@dataclass(frozen=True)
class FinishedRun:
    """What a run brought, and which partitions it has brought as far as navigate, or tried to.

    ``sync_ids`` holds the Airbyte job of each connection that it synced.
    """

    run_id: str
    touched: frozenset[StreamDay]
    covered: frozenset[StreamDay]
    sync_ids: Mapping[str, int]


def layers_job_name(connection: str) -> str:
    """The job that builds a connection's layers."""
    return f"{connection}_layers"


def layer_run_requests(run: FinishedRun) -> list[dg.RunRequest]:
    """A run of `<connection>_layers` for each day that was touched and is not covered.

    The run key comes from the sync, so that a day is requested once however often it is read.
    """
    missing = {(left.connection, left.day) for left in run.touched - run.covered}
    return [
        day_request(connection, _origin(run, connection), day, requested_by_run=run.run_id)
        for connection, day in sorted(missing)
    ]


def day_request(connection: str, origin: str, day: str, **tags: str) -> dg.RunRequest:
    """A run of a connection's layers for a day, because of ``origin``: a sync, or a run."""
    return dg.RunRequest(
        run_key=f"{connection}/{origin}/{day}",
        job_name=layers_job_name(connection),
        partition_key=day,
        tags={f"atlas/{name}": value for name, value in tags.items()},
    )


def sync_origin(job_id: int) -> str:
    """What requests of an Airbyte job's days are keyed by, whoever makes them."""
    return f"sync-{job_id}"


def _origin(run: FinishedRun, connection: str) -> str:
    job_id = run.sync_ids.get(connection)
    return f"run-{run.run_id}" if job_id is None else sync_origin(job_id)


def read_finished_run(run_id: str, events: Iterable[dg.DagsterEvent]) -> FinishedRun:
    """Read what a run planned to materialize, what it did materialize, and which steps failed.

    Layers that failed are for a person to look at. Those that a failed sync, a cancellation or a
    kill left out are not covered: the days that were touched are still to be built.
    """
    touched: set[StreamDay] = set()
    planned: set[StreamDay] = set()
    streams_of_steps: dict[str | None, tuple[str, str]] = {}
    failed_steps: set[str | None] = set()
    built: set[tuple[str, str]] = set()
    sync_ids: dict[str, int] = {}
    for event in events:
        if event.is_step_failure:
            failed_steps.add(event.step_key)
        if event.asset_key is None or len(event.asset_key.path) != 3:
            continue
        layer, connection, stream = event.asset_key.path
        if event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED:
            if layer in AFTER_SYNC:
                streams_of_steps[event.step_key] = connection, stream
                checks = step_name(CHART_CHECKS, connection, stream)
                streams_of_steps[checks] = connection, stream
            if layer == "navigate" and event.partition:
                planned.add(StreamDay(connection, stream, event.partition))
            continue
        metadata = event.step_materialization_data.materialization.metadata
        touched.update(StreamDay(connection, stream, day) for day in _days(metadata))
        if layer == "navigate":
            built.add((connection, stream))
        job_id = metadata.get("atlas/job_id")
        if layer == "airbyte" and isinstance(job_id, dg.IntMetadataValue) and job_id.value:
            sync_ids[connection] = job_id.value
    tried = built | {stream for step, stream in streams_of_steps.items() if step in failed_steps}
    covered = frozenset(day for day in planned if (day.connection, day.stream) in tried)
    return FinishedRun(run_id, frozenset(touched), covered, sync_ids)


def _days(metadata: Mapping[str, dg.MetadataValue[Any]]) -> Iterator[str]:
    value = metadata.get(TOUCHED_DAYS)
    if isinstance(value, dg.JsonMetadataValue):
        for day in cast("list[str]", value.data or []):
            yield partition_of_key(day)


def build_layer_runs_sensor(jobs: Sequence[dg.JobDefinition]) -> dg.SensorDefinition:
    """The sensor that requests the layer runs which finished runs leave to do."""
    names = {job.name for job in jobs}

    def layer_runs(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        cursor = _parse_cursor(context.cursor)
        after = dict(cursor.after)
        requests: list[dg.RunRequest] = []
        read = 0
        deadline = time.monotonic() + BUDGET_SECONDS
        for end in ends_before(settled(), context.instance, cursor.after, deadline):
            run = _load_finished_run(context.instance, end.run_id)
            requests += [
                request
                for request in layer_run_requests(run)
                if request.job_name in names and not is_awaited(context.instance, request, end.at)
            ]
            after[end.event_type] = end.storage_id
            read += 1
        for request in requests:
            context.log.info(f"{request.job_name} of {request.partition_key}: {request.run_key}")
        return dg.SensorResult(
            run_requests=requests,
            cursor=msgspec.json.encode(LayerRunsCursor(after)).decode(),
            skip_reason=None if requests else _nothing_to_do(read),
        )

    return dg.SensorDefinition(
        name="layer_runs",
        evaluation_fn=layer_runs,
        description="Requests a run of <connection>_layers for each day that a sync touched and"
        " its own run did not cover.",
        jobs=jobs,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )


def _nothing_to_do(read: int) -> str:
    if not read:
        read_when = f"runs are read {SETTLE_SECONDS:.0f} s after they end"
        return f"no run has ended since the last tick; {read_when}"
    return f"runs that have ended since the last tick: {read:,}; what they touched is built"


def _parse_cursor(text: str | None) -> LayerRunsCursor:
    return msgspec.json.decode(text, type=LayerRunsCursor) if text else LayerRunsCursor()


def _load_finished_run(instance: dg.DagsterInstance, run_id: str) -> FinishedRun:
    logged = instance.get_records_for_run(
        run_id,
        of_type={
            dg.DagsterEventType.ASSET_MATERIALIZATION,
            dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
            dg.DagsterEventType.STEP_FAILURE,
        },
    )
    events = (r.event_log_entry.dagster_event for r in logged.records)
    return read_finished_run(run_id, (event for event in events if event))


def is_awaited(instance: dg.DagsterInstance, request: dg.RunRequest, since: float) -> bool:
    """Whether a run of all layers of that day waits to start, or started after ``since``.

    Of several days that a sync touched, the first run's explore takes all rows: the runs that were
    requested with it need no second request.
    """
    records = instance.get_run_records(
        dg.RunsFilter(job_name=request.job_name, tags={PARTITION_TAG: request.partition_key or ""})
    )
    return any(
        record.dagster_run.asset_selection is None
        and (
            record.dagster_run.status in WAITING
            or (record.start_time is not None and record.start_time >= since)
        )
        for record in records
    )
