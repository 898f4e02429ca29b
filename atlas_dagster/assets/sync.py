"""The sync of a connection: one asset per stream, materialized together."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from atlas_dagster.airbyte.workspace import AtlasAirbyteWorkspace
from atlas_dagster.assets.errors import operator_errors
from atlas_dagster.catalog import Connection


def build_sync_assets(
    workspace: AtlasAirbyteWorkspace, connection: Connection
) -> dg.AssetsDefinition:
    """The landing tables of a connection. Airbyte syncs a connection as a whole."""

    @dg.multi_asset(
        name=f"sync_{connection.slug}",
        specs=workspace.connection_specs(connection),
        can_subset=True,
        pool=f"sync_{connection.slug}",
    )
    def sync(
        context: dg.AssetExecutionContext, airbyte: AtlasAirbyteWorkspace
    ) -> Iterator[dg.MaterializeResult[Any] | dg.AssetMaterialization]:
        with operator_errors(f"sync {connection.slug}"):
            yield from airbyte.sync_and_poll(context=context)

    return sync
