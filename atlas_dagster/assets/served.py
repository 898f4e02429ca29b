"""What the assets of an Airbyte server's connections tell beside those of embedded ones."""

from __future__ import annotations

from typing import Any

import dagster as dg

from atlas_dagster.airbyte.snapshot import ServerConnection, Snapshot, problems
from atlas_dagster.airbyte.translator import AtlasTranslator
from atlas_dagster.catalog import POSTGRES, Connection, Stream
from atlas_dagster.markdown import items

WORKSPACE_KEY = dg.AssetKey(["airbyte_workspace"])


def build_workspace_asset(workspace_id: str, snapshot: Snapshot | None) -> dg.AssetSpec:
    """An asset that nothing materializes: it says where the catalog of the server is from."""
    metadata: dict[str, Any] = {"atlas/workspace_id": workspace_id}
    if snapshot is None:
        text = "The catalog has not been fetched yet: run `atlas refresh`, and reload."
    else:
        text = f"{len(snapshot.connections)} connections, as of the last `atlas refresh`."
        metadata["atlas/catalog_fetched_at"] = dg.MetadataValue.timestamp(snapshot.fetched_at)
        if snapshot.failure:
            text = f"Stale: {snapshot.failure}."
            metadata["atlas/catalog_stale"] = snapshot.failure
        if found := problems(snapshot):
            metadata["atlas/problems"] = dg.MetadataValue.md(items(found))
    return dg.AssetSpec(
        WORKSPACE_KEY,
        group_name="airbyte__workspace",  # no connection's group: no slug has `__`
        kinds={"airbyte"},
        description=text,
        metadata=metadata,
    )


def build_server_specs(found: ServerConnection) -> list[dg.AssetSpec]:
    """One asset a stream of a server's connection."""
    connection = found.connection
    shared: dict[str, Any] = {
        "atlas/catalog_fetched_at": dg.MetadataValue.timestamp(found.fetched_at),
        **({"atlas/catalog_stale": found.stale} if found.stale else {}),
        **({} if connection.is_active else {"atlas/status": connection.status}),
        **({} if connection.has_layers else {"atlas/layers": _without_layers(connection)}),
    }
    return [
        AtlasTranslator()
        .get_stream_spec(connection, stream)
        .merge_attributes(metadata={**shared, **_table(connection, stream)})
        for stream in connection.streams
    ]


def _without_layers(connection: Connection) -> str:
    kind = connection.destination_type or "of an unknown type"
    return f"layers need a {POSTGRES} destination; this one is {kind}"


def _table(connection: Connection, stream: Stream) -> dict[str, str]:
    if not (connection.has_layers and connection.database):
        return {}
    return {"dagster/table_name": f"{connection.database}.{stream.landing_table}"}
