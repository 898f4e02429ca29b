"""QALITA: the sensor that publishes, and what stands for it in the graph where one is set."""

from __future__ import annotations

import dagster as dg

from atlas_dagster.assets.qalita_asset import build_qalita_asset, build_qalita_check
from atlas_dagster.assets.qalita_sensor import build_qalita_sensor
from atlas_dagster.defs.project import Project
from atlas_dagster.qalita.settings import load_qalita_server


def build_qalita(project: Project) -> dg.Definitions:
    """The sensor; with a platform an asset a connection, and the check on it.

    Raises ConfigError naming the variable of the platform that is wrong.
    """
    server = load_qalita_server()
    connections = list(project.connections.values())
    shown = connections if server else ()
    return dg.Definitions(
        assets=[build_qalita_asset(c, project.rules.connection(c.slug).owners) for c in shown],
        asset_checks=[build_qalita_check(c.slug) for c in shown],
        sensors=[build_qalita_sensor(project.settings, server, connections)],
    )
