"""The explore asset of a stream."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import dagster as dg

from atlas_dagster.assets.layer_assets import build_layer_asset
from atlas_dagster.assets.lineage import explore_metadata
from atlas_dagster.assets.metadata import table_name, tell_once, touched_days
from atlas_dagster.assets.partitions import day_range, partition_of
from atlas_dagster.catalog import Stream
from atlas_dagster.counted import counted
from atlas_dagster.layers.explore import load_explore
from atlas_dagster.rules import StreamRules
from atlas_dagster.warehouse import PgConnection


def build_explore_asset(
    stream: Stream, rules: StreamRules, owners: Sequence[str]
) -> dg.AssetsDefinition:
    """Every record version of a stream, as jsonb, append-only."""
    return build_layer_asset(
        "explore",
        stream,
        partial(materialize_explore, rules=rules),
        upstream=["airbyte"],
        owners=owners,
        details=f"They lie in the table `{stream.explore}`, as JSON in its column `data`.",
    )


def materialize_explore(
    context: dg.AssetExecutionContext,
    connection: PgConnection,
    stream: Stream,
    rules: StreamRules,
) -> dg.MaterializeResult[Any]:
    """Take everything new from landing, whatever day the run is for.

    Days that the run is not for get a materialization of their own: no partition has rows that
    Dagster does not know of.
    """
    result = load_explore(connection, stream, context.run.run_id, rules.most_vanishing)
    context.log.info(f"{stream.label}: {counted(result.rows, 'new record version')}")
    first, last = day_range(context)
    for day, rows in result.days.items():
        if not first <= day <= last:
            context.log_event(
                dg.AssetMaterialization(
                    context.asset_key,
                    partition=partition_of(day),
                    metadata={"atlas/new_rows": rows},
                )
            )
    tell_once(context, explore_metadata(stream))
    return dg.MaterializeResult(
        metadata={
            **table_name(connection, stream.explore),
            **touched_days(result.days),
            "dagster/row_count": result.total,
            "atlas/new_rows": result.rows,
        }
    )
