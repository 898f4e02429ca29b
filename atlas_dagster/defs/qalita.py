"""QALITA: the sensor that publishes, and what stands for it in the graph where one is set."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from atlas_dagster.assets.qalita_asset import build_qalita_asset, build_qalita_check
from atlas_dagster.assets.qalita_sensor import build_qalita_sensor
from atlas_dagster.catalog import Connection
from atlas_dagster.qalita.settings import load_qalita_server
from atlas_dagster.rules import AtlasRules
from atlas_dagster.settings import Settings


def build_qalita(
    settings: Settings, rules: AtlasRules, connections: Sequence[Connection]
) -> dg.Definitions:
    """The sensor; with a platform an asset a connection, and the check on it.

    Raises ConfigError naming the variable of the platform that is wrong.
    """
    server = load_qalita_server()
    shown = connections if server else ()
    return dg.Definitions(
        assets=[build_qalita_asset(c, rules.connection(c.slug).owners) for c in shown],
        asset_checks=[build_qalita_check(c.slug) for c in shown],
        sensors=[build_qalita_sensor(settings, server, connections)],
    )
