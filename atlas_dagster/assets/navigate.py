"""The navigate asset of a stream."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import dagster as dg

from atlas_dagster.assets.layer_assets import build_layer_asset, layer_key
from atlas_dagster.assets.lineage import navigate_metadata
from atlas_dagster.assets.metadata import natural_key, rebuilt, table_name, tell_once, told_first
from atlas_dagster.assets.partitions import day_range
from atlas_dagster.assets.personal_data import column_tags
from atlas_dagster.assets.quality_gate import pass_gate
from atlas_dagster.assets.summary import load_news, news_numbers, summary
from atlas_dagster.catalog import Stream
from atlas_dagster.counted import counted
from atlas_dagster.layers.history_rules import history_rules
from atlas_dagster.layers.navigate import build_navigate
from atlas_dagster.layers.navigate_ddl import current_view_name
from atlas_dagster.layers.policy import charted_policy, policed_stream
from atlas_dagster.layers.snapshots import open_refusals
from atlas_dagster.layers.stream_columns import registered_stream
from atlas_dagster.pii.store import load_verdicts
from atlas_dagster.rules import StreamRules
from atlas_dagster.warehouse import PgConnection


def build_navigate_asset(
    stream: Stream, rules: StreamRules, owners: Sequence[str]
) -> dg.AssetsDefinition:
    """The business history of a stream, SCD Type 2, one row a validity interval."""
    return build_layer_asset(
        "navigate",
        stream,
        partial(materialize_navigate, rules=rules),
        upstream=["chart"],
        owners=owners,
        details=f"It lies in the table `{stream.navigate}`; what is valid now, in"
        f" `navigate.{current_view_name(stream)}`.",
        check_specs=[snapshot_check(stream)],
    )


def snapshot_check(stream: Stream) -> dg.AssetCheckSpec:
    """The check that what syncs make vanish is believed: full refreshes, and hard deletes."""
    return dg.AssetCheckSpec(
        "snapshots",
        asset=layer_key("navigate", stream),
        description="No sync makes more keys vanish than most_vanishing allows.",
    )


def check_snapshots(connection: PgConnection, stream: Stream) -> dg.AssetCheckResult:
    """Fails while a refused snapshot waits for an operator, and says how to accept it."""
    refusals = open_refusals(connection, stream.table_name)
    return dg.AssetCheckResult(
        check_name="snapshots",
        passed=not refusals,
        description="; ".join(
            f"sync {r.job_id} would make {r.vanishing:,} of {r.known:,} keys vanish and is not"
            f" believed; if it is right: atlas snapshot accept {stream.label} {r.job_id}"
            for r in refusals
        ),
        metadata={"atlas/refused_snapshots": len(refusals)},
    )


def materialize_navigate(
    context: dg.AssetExecutionContext,
    connection: PgConnection,
    stream: Stream,
    rules: StreamRules,
) -> dg.MaterializeResult[Any]:
    """Bring navigate in line with chart's versions of the run's days."""
    stream = registered_stream(connection, stream)
    policy = charted_policy(connection, stream.chart)
    verdicts = load_verdicts(connection, stream.table_name)
    tags = column_tags(verdicts, policy)
    stream = policed_stream(stream, policy)
    history = history_rules(stream, rules, policy)
    passed = pass_gate(context, connection, stream, history)
    first, last = day_range(context)
    run_id = context.run.run_id
    result = build_navigate(connection, stream, history, first, last, run_id)
    context.log.info(
        f"{stream.label}: {counted(result.opened, 'segment')} opened, {result.closed:,} closed,"
        f" {result.reopened:,} reopened, {result.removed:,} removed"
    )
    if result.rebuilt:
        context.log.warning(f"{stream.label}: all of navigate was built anew: {result.rebuilt}")
    news = load_news(connection, stream, result, verdicts, policy, run_id)
    tell_once(context, navigate_metadata(stream, tags))
    return dg.MaterializeResult(
        metadata={
            **told_first(context, summary(news)),
            **table_name(connection, stream.navigate),
            **natural_key(history.key),
            **rebuilt(result.rebuilt),
            **passed,
            "dagster/row_count": result.count.rows,
            "atlas/current_rows": result.count.current or 0,
            **news_numbers(news),
            "atlas/segments_opened": result.opened,
            "atlas/segments_closed": result.closed,
            "atlas/segments_reopened": result.reopened,
            "atlas/segments_removed": result.removed,
        },
        check_results=[check_snapshots(connection, stream)],
    )
