"""The Airbyte server, where one is set: what its catalog is, and where it is from."""

from __future__ import annotations

import dagster as dg

from atlas_dagster.airbyte.workspace import AtlasAirbyteWorkspace
from atlas_dagster.assets.served import build_workspace_asset
from atlas_dagster.settings import Settings


def build_airbyte_server(workspace: AtlasAirbyteWorkspace, settings: Settings) -> dg.Definitions:
    """The asset that stands for the workspace; nothing where all connections are embedded."""
    if settings.airbyte is None:
        return dg.Definitions()
    snapshot = workspace.server_snapshot()
    return dg.Definitions(assets=[build_workspace_asset(settings.airbyte.workspace_id, snapshot)])
