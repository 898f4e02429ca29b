"""The runs of the demo, as sensors read the ends of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import dagster as dg

    from atlas_dagster.assets.run_ends import RunEnd

TAG = "atlas/demo"


def demo_run_ends(instance: dg.DagsterInstance, demo_id: str) -> list[RunEnd]:
    """The ends of its runs, in order; all have succeeded: the demo has ended where one fails."""
    from dagster import DagsterEventType, RunsFilter

    from atlas_dagster.assets.run_ends import RunEnd

    records = instance.get_run_records(RunsFilter(tags={TAG: demo_id}), ascending=True)
    succeeded = DagsterEventType.RUN_SUCCESS.value
    return [
        RunEnd(
            succeeded,
            record.storage_id,
            record.dagster_run.run_id,
            record.end_time or 0.0,
            record.dagster_run.job_name,
        )
        for record in records
    ]
