"""The Airbyte server, where one is set: what its catalog is, and what it does by itself."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from atlas_dagster.airbyte.snapshot import index_of
from atlas_dagster.assets.adapter_syncs import build_adapter_syncs_sensor
from atlas_dagster.assets.catalog_refresh import build_catalog_sensor
from atlas_dagster.assets.observed_syncs import build_observed_syncs_sensor
from atlas_dagster.assets.served import build_workspace_asset
from atlas_dagster.defs.project import Project


def build_airbyte_server(
    project: Project, layer_jobs: Sequence[dg.JobDefinition]
) -> dg.Definitions:
    """The asset that stands for the workspace, and the sensors that watch it.

    Where all connections are embedded, webhooks may still tell of an Airbyte that cannot be asked.
    """
    settings = project.settings
    if settings.airbyte is None:
        status = (
            dg.DefaultSensorStatus.RUNNING
            if settings.has_webhook
            else dg.DefaultSensorStatus.STOPPED
        )
        sensor = build_adapter_syncs_sensor(settings, list(project.connections), status)
        return dg.Definitions(sensors=[sensor])
    snapshot = project.snapshot
    return dg.Definitions(
        assets=[build_workspace_asset(settings.airbyte.workspace_id, snapshot)],
        sensors=[
            build_observed_syncs_sensor(settings, layer_jobs),
            build_catalog_sensor(settings, index_of(snapshot) if snapshot else None),
        ],
    )
