"""The resources that assets ask for, by name."""

from __future__ import annotations

from typing import Any

from atlas_dagster.airbyte.workspace import AtlasAirbyteWorkspace
from atlas_dagster.assets.frame_input import layer_frames
from atlas_dagster.assets.qalita_resource import QalitaResource
from atlas_dagster.assets.warehouse_resource import WarehouseResource


def build_resources(workspace: AtlasAirbyteWorkspace) -> dict[str, Any]:
    """`airbyte`, `warehouse`; `qalita` and `layer_frames` for people's own assets."""
    return {
        "airbyte": workspace,
        "warehouse": WarehouseResource(),
        "qalita": QalitaResource(),
        "layer_frames": layer_frames,
    }
