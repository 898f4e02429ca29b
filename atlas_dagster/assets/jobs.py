"""The jobs and the schedule of a connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.definitions.utils import is_valid_name

from atlas_dagster.assets.layer_assets import LAYERS
from atlas_dagster.assets.layer_runs import layers_job_name
from atlas_dagster.assets.partitions import utc_day

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import (
        UnresolvedAssetJobDefinition,
    )


@dataclass(frozen=True)
class ConnectionJobs:
    """The jobs of a connection: sync and layers in one run, and each of them alone."""

    everything: UnresolvedAssetJobDefinition
    sync: UnresolvedAssetJobDefinition
    layers: UnresolvedAssetJobDefinition


def job_name(connection: str) -> str:
    """The name of the job of a whole connection: its slug, with ``_`` after it where needed.

    Dagster refuses keywords of Python and some names of its own (``import``, ``config``). No slug
    ends in ``_``, so the name is free.
    """
    return connection if is_valid_name(connection) else f"{connection}_"


def build_connection_jobs(connection: str) -> ConnectionJobs:
    """`<connection>`, `<connection>_sync` and `<connection>_layers` (which can be backfilled)."""
    group = dg.AssetSelection.groups(connection)
    layers = dg.AssetSelection.key_prefixes(*([layer, connection] for layer in LAYERS))
    tags = {"atlas/connection": connection}
    return ConnectionJobs(
        everything=dg.define_asset_job(
            job_name(connection),
            selection=group,
            tags=tags,
            description=f"Sync {connection} and build its layers for one day.",
        ),
        sync=dg.define_asset_job(
            f"{connection}_sync",
            selection=dg.AssetSelection.key_prefixes(["airbyte", connection]),
            tags=tags,
            description=f"Sync {connection} only.",
        ),
        layers=dg.define_asset_job(
            layers_job_name(connection),
            selection=layers,
            tags=tags,
            description=f"Build the layers of {connection} for any days, without a sync.",
        ),
    )


def build_schedule(
    connection: str, jobs: ConnectionJobs, cron: str, timezone: str
) -> dg.ScheduleDefinition:
    """Sync a connection and build the layers of the day at each tick of its cron."""

    def request(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        # Of the time that was due, not of now: a tick that is late has no later partition.
        due = context.scheduled_execution_time
        return dg.RunRequest(
            run_key=f"{connection}/{due.isoformat()}",
            partition_key=utc_day(due),
            tags={"atlas/due": due.isoformat()},
        )

    return dg.ScheduleDefinition(
        name=f"{connection}_schedule",
        job=jobs.everything,
        cron_schedule=cron,
        execution_timezone=timezone,
        execution_fn=request,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Syncs {connection} and builds the layers of the day.",
    )
