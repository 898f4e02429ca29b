"""Dagster's run launcher, which also tells dead runs from slow ones; `dagster.yaml` names it."""

from __future__ import annotations

import dagster as dg
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus

from atlas_dagster.run_workers import has_died, workers_dir
from atlas_dagster.settings import load_settings


class AtlasRunLauncher(dg.DefaultRunLauncher):
    """Lets Dagster's run monitoring fail a run whose process is gone, so that its pools are free.

    A code server does so for the runs that it started, as long as it lives itself. Nobody does it
    for those of a code server that was killed too, and for those of ``dagster job execute``.
    """

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """FAILED where the run's process is known to be gone, RUNNING where it may be alive."""
        if has_died(run.run_id, workers_dir(load_settings())):
            return CheckRunHealthResult(WorkerStatus.FAILED, "the process of the run is gone")
        return CheckRunHealthResult(WorkerStatus.RUNNING)
