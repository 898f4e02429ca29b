"""The sync of a connection: one asset per stream, materialized together."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import dagster as dg

from atlas_dagster.airbyte.workspace import AtlasAirbyteWorkspace
from atlas_dagster.assets.errors import operator_errors
from atlas_dagster.assets.layer_assets import AFTER_SYNC
from atlas_dagster.assets.partitions import require_partition
from atlas_dagster.catalog import Connection


def build_sync_assets(
    connection: Connection, specs: Iterable[dg.AssetSpec], owners: Sequence[str]
) -> dg.AssetsDefinition:
    """The landing tables of a connection. Airbyte syncs a connection as a whole."""

    @dg.multi_asset(
        name=f"sync_{connection.slug}",
        specs=[spec.replace_attributes(owners=list(owners)) for spec in specs],
        can_subset=True,
        pool=f"sync_{connection.slug}",
    )
    def sync(
        context: dg.AssetExecutionContext, airbyte: AtlasAirbyteWorkspace
    ) -> Iterator[dg.MaterializeResult[Any] | dg.AssetMaterialization]:
        with operator_errors(f"sync {connection.slug}"):
            if _builds_layers(context):
                require_partition(context)
            yield from airbyte.sync_and_poll(context=context)

    return sync


def _builds_layers(context: dg.AssetExecutionContext) -> bool:
    """Whether the run has layers to build after this sync."""
    chosen = context.run.asset_selection  # empty where it is the whole job
    if chosen:
        return any(key.path[0] in AFTER_SYNC for key in chosen)
    return context.job_def.partitions_def is not None
