"""The jobs and the schedule of a connection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.definitions.utils import is_valid_name

from atlas_dagster.assets.layer_assets import AFTER_SYNC
from atlas_dagster.assets.layer_runs import layers_job_name
from atlas_dagster.assets.partitions import utc_day

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import (
        UnresolvedAssetJobDefinition,
    )


@dataclass(frozen=True)
class ConnectionJobs:
    """The jobs of a connection: sync and layers in one run, and each of them alone.

    One that cannot be synced has no job that syncs, one that has no layers none that builds them.
    """

    everything: UnresolvedAssetJobDefinition | None
    sync: UnresolvedAssetJobDefinition | None
    layers: UnresolvedAssetJobDefinition | None

    def __iter__(self) -> Iterator[UnresolvedAssetJobDefinition]:
        return iter([job for job in (self.everything, self.sync, self.layers) if job])


def job_name(connection: str) -> str:
    """The name of the job of a whole connection: its slug, with ``_`` after it where needed.

    Dagster refuses keywords of Python and some names of its own (``import``, ``config``). No slug
    ends in ``_``, so the name is free.
    """
    return connection if is_valid_name(connection) else f"{connection}_"


def build_connection_jobs(
    connection: str, *, syncs: bool = True, has_layers: bool = True
) -> ConnectionJobs:
    """`<connection>`, `<connection>_sync` and `<connection>_layers` (which can be backfilled)."""
    layers = dg.AssetSelection.key_prefixes(*([layer, connection] for layer in AFTER_SYNC))
    landed = dg.AssetSelection.key_prefixes(["airbyte", connection])
    tags = {"atlas/connection": connection}
    whole = dg.define_asset_job(
        job_name(connection),
        selection=dg.AssetSelection.groups(connection),
        tags=tags,
        description=f"Sync {connection} and build its layers for one day."
        if has_layers
        else f"Sync {connection}.",
    )
    sync = dg.define_asset_job(
        f"{connection}_sync",
        selection=landed,
        tags=tags,
        description=f"Sync {connection} only.",
    )
    layers_job = dg.define_asset_job(
        layers_job_name(connection),
        selection=layers,
        tags=tags,
        description=f"Build the layers of {connection} for any days, without a sync.",
    )
    return ConnectionJobs(
        everything=whole if syncs else None,
        sync=sync if syncs else None,
        layers=layers_job if has_layers else None,
    )


def build_schedule(
    connection: str, jobs: ConnectionJobs, cron: str, timezone: str
) -> dg.ScheduleDefinition | None:
    """Sync a connection and build the layers of the day at each tick of its cron.

    None where it cannot be synced.
    """
    if jobs.everything is None:
        return None
    is_partitioned = jobs.layers is not None

    def request(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        # Of the time that was due, not of now: a tick that is late has no later partition.
        due = context.scheduled_execution_time
        return dg.RunRequest(
            run_key=f"{connection}/{due.isoformat()}",
            partition_key=utc_day(due) if is_partitioned else None,
            tags={"atlas/due": due.isoformat()},
        )

    return dg.ScheduleDefinition(
        name=f"{connection}_schedule",
        job=jobs.everything,
        cron_schedule=cron,
        execution_timezone=timezone,
        execution_fn=request,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Syncs {connection} and builds the layers of the day."
        if is_partitioned
        else f"Syncs {connection}.",
    )
