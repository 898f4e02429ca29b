"""The executor of all jobs: every step in the run's own process, which is marked as alive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import dagster as dg
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.execution.step_dependency_config import StepDependencyConfig

from atlas_dagster.run_workers import workers_dir, working_on
from atlas_dagster.settings import load_settings


class WorkerExecutor(dg.Executor):
    """Another executor, with the run's worker lock held around it (see ``run_workers``)."""

    def __init__(self, inner: dg.Executor) -> None:
        self._inner = inner

    @property
    def retries(self) -> RetryMode:
        return self._inner.retries

    @property
    def step_dependency_config(self) -> StepDependencyConfig:
        return self._inner.step_dependency_config

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[dg.DagsterEvent]:
        """Execute the plan in this process."""
        with working_on(plan_context.run_id, workers_dir(load_settings())):
            yield from self._inner.execute(plan_context, execution_plan)


def _create(context: dg.InitExecutorContext) -> WorkerExecutor:
    create = dg.in_process_executor.executor_creation_fn
    assert create is not None
    return WorkerExecutor(create(context))


in_process = dg.ExecutorDefinition(
    name=dg.in_process_executor.name,
    config_schema=cast("Any", dg.in_process_executor.config_schema),
    description="All steps in the run's process: 0.03 s of CPU each, a spawned one costs 4.5.",
    executor_creation_fn=_create,
)
