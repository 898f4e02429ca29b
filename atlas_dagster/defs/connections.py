"""Every connection: its assets, jobs and schedule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import dagster as dg

from atlas_dagster.airbyte.workspace import AtlasAirbyteWorkspace
from atlas_dagster.assets.chart import build_chart_asset
from atlas_dagster.assets.explore import build_explore_asset
from atlas_dagster.assets.jobs import ConnectionJobs, build_connection_jobs, build_schedule
from atlas_dagster.assets.layer_runs import build_layer_runs_sensor
from atlas_dagster.assets.navigate import build_navigate_asset
from atlas_dagster.assets.served import build_server_specs
from atlas_dagster.assets.sync import build_sync_assets
from atlas_dagster.catalog import Connection
from atlas_dagster.config import AtlasRules
from atlas_dagster.errors import ConfigError


def build_definitions(workspace: AtlasAirbyteWorkspace, rules: AtlasRules) -> dg.Definitions:
    """The assets, jobs, schedules and sensor of all connections of a workspace.

    Raises ConfigError where jobs or steps of two connections would share a name.
    """
    connections = workspace.connections()
    served = workspace.server_connections()
    _refuse_shared_names([*connections, *(found.connection for found in served)])
    jobs = {connection.slug: build_connection_jobs(connection.slug) for connection in connections}
    return dg.Definitions(
        assets=[
            asset
            for connection in connections
            for asset in _connection_assets(workspace, connection, rules)
        ]
        + [spec for found in served for spec in build_server_specs(found)],
        jobs=[
            job for built in jobs.values() for job in (built.everything, built.sync, built.layers)
        ],
        schedules=_schedules(jobs, rules),
        sensors=[build_layer_runs_sensor([built.layers for built in jobs.values()])]
        if jobs
        else [],
    )


def _connection_assets(
    workspace: AtlasAirbyteWorkspace, connection: Connection, rules: AtlasRules
) -> list[dg.AssetsDefinition]:
    owners = rules.connection(connection.slug).owners
    assets = [build_sync_assets(workspace, connection, owners)]
    for stream in connection.streams:
        stream_rules = rules.stream(connection.slug, stream.slug)
        assets += [
            build_explore_asset(stream, stream_rules, owners),
            build_chart_asset(stream, stream_rules, owners),
            build_navigate_asset(stream, stream_rules, owners),
        ]
    return assets


def _schedules(jobs: dict[str, ConnectionJobs], rules: AtlasRules) -> list[dg.ScheduleDefinition]:
    return [
        build_schedule(slug, built, chosen.cron, chosen.timezone)
        for slug, built in jobs.items()
        if (chosen := rules.connection(slug)).cron
    ]


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
