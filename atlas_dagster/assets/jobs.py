"""The jobs and the schedule of a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.definitions.utils import is_valid_name

from atlas_dagster.assets.layer_assets import AFTER_SYNC
from atlas_dagster.assets.layer_runs import layers_job_name
from atlas_dagster.assets.partitions import utc_day
from atlas_dagster.catalog import Connection

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import (
        UnresolvedAssetJobDefinition,
    )


def job_name(connection: str) -> str:
    """The name of the job of a whole connection: its slug, with ``_`` after it where needed.

    Dagster refuses keywords of Python and some names of its own (``import``, ``config``). No slug
    ends in ``_``, so the name is free.
    """
    return connection if is_valid_name(connection) else f"{connection}_"


def sync_job_name(connection: str) -> str:
    """The name of the job that syncs a connection and builds nothing."""
    return f"{connection}_sync"


def connection_job_names(connection: str) -> tuple[str, str, str]:
    """The names that a connection's jobs have, of those that it has."""
    return job_name(connection), sync_job_name(connection), layers_job_name(connection)


def define_connection_jobs(connection: Connection) -> list[UnresolvedAssetJobDefinition]:
    """`<connection>`, `<connection>_sync` and `<connection>_layers` (which can be backfilled).

    One that cannot be synced has no job that syncs, one that has no layers none that builds them.
    """
    slug = connection.slug
    tags = {"atlas/connection": slug}
    jobs: list[UnresolvedAssetJobDefinition] = []
    if connection.is_active:
        jobs += [
            dg.define_asset_job(
                job_name(slug),
                selection=dg.AssetSelection.groups(slug),
                tags=tags,
                description=f"Sync {slug} and build its layers for one day."
                if connection.has_layers
                else f"Sync {slug}.",
            ),
            dg.define_asset_job(
                sync_job_name(slug),
                selection=dg.AssetSelection.key_prefixes(["airbyte", slug]),
                tags=tags,
                description=f"Sync {slug} only.",
            ),
        ]
    if connection.has_layers:
        layers = dg.AssetSelection.key_prefixes(*([layer, slug] for layer in AFTER_SYNC))
        jobs.append(
            dg.define_asset_job(
                layers_job_name(slug),
                selection=layers,
                tags=tags,
                description=f"Build the layers of {slug} for any days, without a sync.",
            )
        )
    return jobs


def build_schedule(
    connection: str, job: dg.JobDefinition, cron: str, timezone: str
) -> dg.ScheduleDefinition:
    """Start the job of a whole connection at each tick of its cron, for the day of the tick."""
    is_partitioned = job.partitions_def is not None

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
        job=job,
        cron_schedule=cron,
        execution_timezone=timezone,
        execution_fn=request,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Syncs {connection} and builds the layers of the day."
        if is_partitioned
        else f"Syncs {connection}.",
    )
