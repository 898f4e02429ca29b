"""All definitions of this project, out of the environment and the files under ``config/``."""

from __future__ import annotations

import dagster as dg

from atlas_dagster.airbyte.snapshot import served_slugs
from atlas_dagster.airbyte.workspace import build_workspace
from atlas_dagster.defs.airbyte_server import build_airbyte_server
from atlas_dagster.defs.connections import build_connections
from atlas_dagster.defs.executor import in_process
from atlas_dagster.defs.qalita import build_qalita
from atlas_dagster.defs.resources import build_resources
from atlas_dagster.defs.retention import build_retention
from atlas_dagster.rules import load_rules
from atlas_dagster.settings import load_settings


def build_code_location() -> dg.Definitions:
    """Build everything without network, database or connector.

    Raises ConfigError naming the file, line and key that is wrong.
    """
    settings = load_settings()
    rules = load_rules(settings, served_slugs(settings))
    workspace = build_workspace(settings)
    connections = build_connections(workspace, rules)
    return dg.Definitions.merge(
        connections.definitions,
        build_airbyte_server(workspace, settings, connections),
        build_retention(rules),
        build_qalita(settings, rules, connections.connections),
        dg.Definitions(resources=build_resources(workspace), executor=in_process),
    )
