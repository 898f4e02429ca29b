"""The job that drops what explore need not keep any longer, and its schedule."""

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import dagster as dg

from atlas_dagster.assets.errors import operator_errors
from atlas_dagster.assets.warehouse_resource import WarehouseResource
from atlas_dagster.layers.retention import (
    OldVersions,
    drop_old_versions,
    find_old_versions,
    first_kept_day,
)
from atlas_dagster.names import layer_table

# Jobs and steps share one space of names with those of connections, whose slugs have no `__`.
JOB_NAME = "explore__retention"
STEP_NAME = "drop__old_versions"


def build_retention_job(limits: Mapping[tuple[str, str], int]) -> dg.JobDefinition:
    """The job over all streams that have a limit in days, by connection and stream."""

    @dg.op(name=STEP_NAME, description="A stream that fails does not stop the others.")
    def drop(context: dg.OpExecutionContext, warehouse: WarehouseResource) -> dg.Output[None]:
        dropped: dict[str, OldVersions] = {}
        failures: list[str] = []
        for (connection, stream), days in sorted(limits.items()):
            label = f"{connection}/{stream}"
            try:
                with operator_errors(f"retention {label}"):
                    dropped[label] = _retain(context, warehouse, connection, stream, days)
            except dg.Failure as failure:
                failures.append(str(failure.description))
                context.log.error(str(failure.description))
        if failures:
            raise dg.Failure("; ".join(failures), metadata=_counts(dropped), allow_retries=False)
        return dg.Output(None, metadata=_counts(dropped))

    @dg.job(
        name=JOB_NAME,
        description="Drop record versions from explore that are older than retention_days.",
    )
    def retention() -> None:
        drop()

    return retention


def build_retention_schedule(job: dg.JobDefinition) -> dg.ScheduleDefinition:
    """Every night."""
    return dg.ScheduleDefinition(
        name=f"{JOB_NAME}_schedule",
        job=job,
        cron_schedule="0 3 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Drops what explore need not keep any longer.",
    )


def _retain(
    context: dg.OpExecutionContext,
    warehouse: WarehouseResource,
    connection: str,
    stream: str,
    days: int,
) -> OldVersions:
    label, table_name = f"{connection}/{stream}", layer_table(connection, stream)
    today = datetime.now(timezone.utc).date()

    def report(progress: str) -> None:
        context.log.info(f"{label}: {progress}")

    with warehouse.connect() as database:
        old = find_old_versions(database, table_name, first_kept_day(days, today))
        dropped = drop_old_versions(database, table_name, old, report)
    report(dropped.told("dropped"))
    return dropped


def _counts(dropped: Mapping[str, OldVersions]) -> dict[str, Any]:
    return {
        "atlas/dropped_rows": sum(old.rows for old in dropped.values()),
        "atlas/streams": dg.MetadataValue.json(
            {
                label: {
                    "before": old.before.isoformat(),
                    "dropped_rows": old.rows,
                    "dropped_days": len(old.going),
                    "staying_rows": old.staying,
                }
                for label, old in dropped.items()
            }
        ),
    }
