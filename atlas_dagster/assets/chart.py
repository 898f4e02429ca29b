"""The chart asset of a stream."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import dagster as dg

from atlas_dagster.assets.layer_assets import build_layer_asset, layer_key
from atlas_dagster.assets.lineage import chart_metadata
from atlas_dagster.assets.metadata import natural_key, rebuilt, table_name, tell_once
from atlas_dagster.assets.partitions import day_range, named_days
from atlas_dagster.assets.personal_data import column_tags, load_personal_data, refuse_forbidden
from atlas_dagster.catalog import Stream
from atlas_dagster.counted import counted
from atlas_dagster.layers.chart import build_chart
from atlas_dagster.layers.history_rules import history_rules
from atlas_dagster.layers.known_fields import refuse_unknown_fields
from atlas_dagster.layers.policy import policed_stream
from atlas_dagster.layers.stream_columns import load_changes, register_columns
from atlas_dagster.quality.queries import Scan
from atlas_dagster.quality.store import expect_scan
from atlas_dagster.rules import StreamRules
from atlas_dagster.warehouse import PgConnection


def build_chart_asset(
    stream: Stream, rules: StreamRules, owners: Sequence[str]
) -> dg.AssetsDefinition:
    """The record versions of a stream, typed and validated, one row each."""
    return build_layer_asset(
        "chart",
        stream,
        partial(materialize_chart, rules=rules),
        # Of explore as well: a run without pii builds them in this order too.
        upstream=["explore", "pii"],
        owners=owners,
        details=f"They lie in the table `{stream.chart}`. A value that does not fit its type is"
        " kept in `_atlas_errors`.",
        check_specs=[drift_check(stream)],
    )


def drift_check(stream: Stream) -> dg.AssetCheckSpec:
    """The check that the source declares the columns that it declared before."""
    return dg.AssetCheckSpec(
        "schema_drift",
        asset=layer_key("chart", stream),
        description="The source declares the same columns, of the same types, as before.",
    )


def check_drift(connection: PgConnection, stream: Stream, run_id: str) -> dg.AssetCheckResult:
    """Warns of what the run found changed in the stream's schema; nothing is lost by it."""
    changes = load_changes(connection, stream, run_id)
    return dg.AssetCheckResult(
        check_name="schema_drift",
        passed=not changes,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(map(str, changes)),
        metadata={
            "atlas/schema_changes": len(changes),
        },
    )


def materialize_chart(
    context: dg.AssetExecutionContext,
    connection: PgConnection,
    stream: Stream,
    rules: StreamRules,
) -> dg.MaterializeResult[Any]:
    """Type the record versions of the run's days."""
    run_id = context.run.run_id
    stream = register_columns(connection, stream, run_id)
    data = load_personal_data(connection, stream, rules)
    refuse_unknown_fields(connection, stream, rules, (verdict.path for verdict in data.verdicts))
    refuse_forbidden(stream, data.decision)
    policy = data.decision.policy
    stream = policed_stream(stream, policy)
    history = history_rules(stream, rules, policy)
    first, last = day_range(context)
    keys = context.partition_key_range
    days = named_days(keys.start, keys.end)
    with connection.transaction():  # rows that are not checked yet are never without the gate
        result = build_chart(connection, stream, history, first, last, run_id)
        if result.inserted or result.rebuilt:
            expect_scan(connection, Scan(stream.chart, days), run_id)
    context.log.info(
        f"{stream.label}: {counted(result.inserted, 'version')} typed, {result.invalid:,} invalid"
    )
    if result.rebuilt:
        context.log.warning(f"{stream.label}: all of chart was built anew: {result.rebuilt}")
    drift = check_drift(connection, stream, run_id)
    if not drift.passed:
        context.log.warning(f"{stream.label}: {drift.description}")
    tell_once(context, chart_metadata(stream, history, column_tags(data.verdicts, policy)))
    return dg.MaterializeResult(
        metadata={
            **table_name(connection, stream.chart),
            **natural_key(history.key),
            **rebuilt(result.rebuilt),
            "dagster/row_count": result.total,
            "dagster/partition_row_count": result.rows,
            "atlas/new_rows": result.inserted,
            "atlas/invalid_rows": result.invalid,
            "atlas/schema_changes": drift.metadata["atlas/schema_changes"],
        },
        check_results=[drift],
    )
