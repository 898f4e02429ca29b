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

    from atlas_dagster.assets.asset_work import run_events
    from atlas_dagster.assets.run_ends import RunEnd

    succeeded = DagsterEventType.RUN_SUCCESS
    runs = instance.get_run_records(RunsFilter(tags={TAG: demo_id}), ascending=True)
    return [
        RunEnd(succeeded.value, end.storage_id, run.run_id, end.at, run.job_name)
        for run in (record.dagster_run for record in runs)
        for end in run_events(instance, run.run_id, {succeeded})
    ]
