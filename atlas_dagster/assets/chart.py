"""The chart asset of a stream."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import dagster as dg

from atlas_dagster.assets.layer_assets import build_layer_asset
from atlas_dagster.assets.metadata import column_schema, natural_key, table_name
from atlas_dagster.assets.partitions import day_range
from atlas_dagster.catalog import Stream
from atlas_dagster.config import StreamRules
from atlas_dagster.layers.chart import build_chart, chart_table
from atlas_dagster.layers.history_rules import history_rules
from atlas_dagster.warehouse import PgConnection


def build_chart_asset(
    stream: Stream, rules: StreamRules, owners: Sequence[str]
) -> dg.AssetsDefinition:
    """The record versions of a stream, typed and validated, one row each."""
    return build_layer_asset(
        "chart",
        stream,
        partial(materialize_chart, rules=rules),
        upstream="explore",
        owners=owners,
        description=f"The record versions of {stream.label}, typed and validated, one row each.",
    )


def materialize_chart(
    context: dg.AssetExecutionContext,
    connection: PgConnection,
    stream: Stream,
    rules: StreamRules,
) -> dg.MaterializeResult[Any]:
    """Type the record versions of the run's days."""
    history = history_rules(stream, rules)
    first, last = day_range(context)
    result = build_chart(connection, stream, history, first, last, context.run.run_id)
    context.log.info(
        f"{stream.label}: {result.inserted:,} versions typed, {result.invalid:,} invalid"
    )
    if result.rebuilt:
        context.log.warning(
            f"{stream.label}: its rules of history changed, all of chart is rebuilt"
        )
    return dg.MaterializeResult(
        metadata={
            **table_name(connection, chart_table(stream)),
            **column_schema(stream.columns),
            **natural_key(history.key),
            "dagster/row_count": result.total,
            "dagster/partition_row_count": result.rows,
            "atlas/new_rows": result.inserted,
            "atlas/invalid_rows": result.invalid,
            "atlas/rebuilt": result.rebuilt,
        }
    )
