"""Every connection: its assets, jobs and schedule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from atlas_dagster.airbyte.workspace import AtlasAirbyteWorkspace
from atlas_dagster.assets.chart import build_chart_asset
from atlas_dagster.assets.explore import build_explore_asset
from atlas_dagster.assets.jobs import ConnectionJobs, build_connection_jobs, build_schedule
from atlas_dagster.assets.layer_runs import build_layer_runs_sensor
from atlas_dagster.assets.navigate import build_navigate_asset
from atlas_dagster.assets.pii import build_pii_asset
from atlas_dagster.assets.served import build_server_specs
from atlas_dagster.assets.sync import build_sync_assets
from atlas_dagster.catalog import Connection
from atlas_dagster.errors import ConfigError
from atlas_dagster.rules import AtlasRules

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import (
        UnresolvedAssetJobDefinition,
    )


@dataclass(frozen=True)
class BuiltConnections:
    """All connections; ``layer_jobs`` are the jobs that sensors may request."""

    definitions: dg.Definitions
    connections: Sequence[Connection]
    layer_jobs: Sequence[UnresolvedAssetJobDefinition]

    @property
    def slugs(self) -> list[str]:
        return [connection.slug for connection in self.connections]


def build_connections(workspace: AtlasAirbyteWorkspace, rules: AtlasRules) -> BuiltConnections:
    """The assets, jobs, schedules and sensor of all connections of a workspace.

    Raises ConfigError where jobs or steps of two connections would share a name.
    """
    embedded = workspace.connections()
    served = [found for found in workspace.server_connections() if found.connection.streams]
    connections = [*embedded, *(found.connection for found in served)]
    _refuse_shared_names(connections)
    jobs = {
        connection.slug: build_connection_jobs(
            connection.slug, syncs=connection.is_active, has_layers=connection.has_layers
        )
        for connection in connections
    }
    specs = {
        **{connection.slug: workspace.connection_specs(connection) for connection in embedded},
        **{found.connection.slug: build_server_specs(found) for found in served},
    }
    layer_jobs = [built.layers for built in jobs.values() if built.layers]
    definitions = dg.Definitions(
        assets=[
            asset
            for connection in connections
            for asset in _connection_assets(connection, specs[connection.slug], rules)
        ],
        jobs=[job for built in jobs.values() for job in built],
        schedules=_schedules(jobs, rules),
        sensors=[build_layer_runs_sensor(layer_jobs)] if layer_jobs else [],
    )
    return BuiltConnections(definitions, connections, layer_jobs)


def _connection_assets(
    connection: Connection, specs: Sequence[dg.AssetSpec], rules: AtlasRules
) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """What lands, and the layers of it; what cannot be synced is shown, and its layers built."""
    owners = rules.connection(connection.slug).owners
    assets: list[dg.AssetsDefinition | dg.AssetSpec] = (
        [build_sync_assets(connection, specs, owners)]
        if connection.is_active
        else [spec.replace_attributes(owners=list(owners)) for spec in specs]
    )
    for stream in connection.streams if connection.has_layers else ():
        stream_rules = rules.stream(connection.slug, stream.slug)
        assets += [
            build_explore_asset(stream, stream_rules, owners),
            build_pii_asset(stream, stream_rules, owners),
            build_chart_asset(stream, stream_rules, owners),
            build_navigate_asset(stream, stream_rules, owners),
        ]
    return assets


def _schedules(jobs: dict[str, ConnectionJobs], rules: AtlasRules) -> list[dg.ScheduleDefinition]:
    schedules = [
        build_schedule(slug, built, chosen.cron, chosen.timezone)
        for slug, built in jobs.items()
        if (chosen := rules.connection(slug)).cron
    ]
    return [schedule for schedule in schedules if schedule]


def _refuse_shared_names(connections: Sequence[Connection]) -> None:
    """Names of jobs and ops are one space in Dagster; what else we name has a ``__`` in it."""
    slugs = Counter(connection.slug for connection in connections)
    for slug in sorted(slugs):
        if slugs[slug] > 1:
            raise ConfigError(
                f"connection {slug}: the Airbyte server has one that is called so; rename the"
                " embedded one"
            )
        for name in (f"{slug}_sync", f"{slug}_layers", f"sync_{slug}"):
            if name in slugs:
                raise ConfigError(
                    f"connections {slug} and {name}: both would have a job or a step called"
                    f" {name}; rename one of them"
                )
