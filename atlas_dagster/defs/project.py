"""What the environment and the files under ``config/`` say: definitions are made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from atlas_dagster.airbyte.snapshot import (
    ServerConnection,
    Snapshot,
    known_slugs,
    load_snapshot,
    server_connections,
)
from atlas_dagster.airbyte.workspace import AtlasAirbyteWorkspace, build_workspace
from atlas_dagster.assets.jobs import sync_job_name
from atlas_dagster.assets.layer_runs import layers_job_name
from atlas_dagster.assets.served import build_server_specs
from atlas_dagster.catalog import Connection
from atlas_dagster.defs.resources import build_resources
from atlas_dagster.errors import ConfigError
from atlas_dagster.rules import AtlasRules, load_rules
from atlas_dagster.settings import Settings, load_settings


@dataclass(frozen=True)
class Project:
    """Settings, rules and connections, by slug; ``served`` are those of an Airbyte server.

    ``snapshot`` is the server's catalog as last fetched, None where there is none.
    """

    settings: Settings
    rules: AtlasRules
    workspace: AtlasAirbyteWorkspace
    connections: Mapping[str, Connection]
    snapshot: Snapshot | None
    served: Mapping[str, ServerConnection]
    resources: Mapping[str, Any]

    def specs(self, slug: str) -> Sequence[dg.AssetSpec]:
        """The assets that a sync of the connection materializes."""
        if slug in self.served:
            return build_server_specs(self.served[slug])
        return self.workspace.connection_specs(self.connections[slug])


def read_project() -> Project:
    """Read everything, without network, database or connector.

    Raises ConfigError naming the file, line and key that is wrong, and where jobs or steps of two
    connections would share a name.
    """
    settings = load_settings()
    snapshot = load_snapshot(settings)
    rules = load_rules(settings, known_slugs(settings, snapshot))
    workspace = build_workspace(settings)
    told = server_connections(snapshot) if snapshot else []
    served = [found for found in told if found.connection.streams]
    connections = [*workspace.connections(), *(found.connection for found in served)]
    _refuse_shared_names(connections)
    return Project(
        settings,
        rules,
        workspace,
        {connection.slug: connection for connection in connections},
        snapshot,
        {found.connection.slug: found for found in served},
        build_resources(workspace),
    )


def _refuse_shared_names(connections: Sequence[Connection]) -> None:
    """Names of jobs and ops are one space in Dagster; what else we name has a ``__`` in it."""
    slugs = Counter(connection.slug for connection in connections)
    for slug in sorted(slugs):
        if slugs[slug] > 1:
            raise ConfigError(
                f"connection {slug}: the Airbyte server has one that is called so; rename the"
                " embedded one"
            )
        for name in (sync_job_name(slug), layers_job_name(slug), f"sync_{slug}"):
            if name in slugs:
                raise ConfigError(
                    f"connections {slug} and {name}: both would have a job or a step called"
                    f" {name}; rename one of them"
                )
