"""Evaluations of checks as events of a run, for a third of what yielding their results costs."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)

from atlas_dagster.assets.partitions import PARTITION_TAG


def log_evaluations(
    context: dg.AssetCheckExecutionContext, results: Iterable[dg.AssetCheckResult]
) -> None:
    """Log what came of checks that block nothing.

    Dagster would store an output for each result that is yielded, which nobody reads, and look up
    the materialization that it is about again for each.
    """
    context.log.addFilter(_is_news)
    results = list(results)
    assets = {result.asset_key for result in results if result.asset_key}
    targets = {asset: _target(context, asset) for asset in assets}
    for result in results:
        assert result.asset_key is not None
        assert result.check_name is not None
        evaluation = dg.AssetCheckEvaluation(
            asset_key=result.asset_key,
            check_name=result.check_name,
            passed=result.passed,
            metadata=result.metadata,
            target_materialization_data=targets[result.asset_key],
            severity=result.severity,
            description=result.description,
            blocking=False,
        )
        # It takes evaluations; its type has forgotten them.
        context.op_execution_context.log_event(evaluation)  # pyright: ignore[reportArgumentType]


def _is_news(record: logging.LogRecord) -> bool:
    """All but Dagster's list of the outputs that it misses: it is long, and says nothing."""
    return "did not yield or return expected outputs" not in record.getMessage()


def _target(
    context: dg.AssetCheckExecutionContext, asset: dg.AssetKey
) -> AssetCheckEvaluationTargetMaterializationData | None:
    """The newest materialization: of the run's partition, where it has one."""
    partition = context.run.tags.get(PARTITION_TAG)
    found = context.instance.fetch_materializations(
        dg.AssetRecordsFilter(asset, asset_partitions=[partition] if partition else None), limit=1
    ).records
    if not found:
        return None
    (record,) = found
    return AssetCheckEvaluationTargetMaterializationData(
        storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
    )
