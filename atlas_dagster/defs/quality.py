"""The quality checks of every stream, out of its catalog and its file under ``config/checks``."""

from __future__ import annotations

from collections.abc import Collection

import dagster as dg

from atlas_dagster.airbyte.snapshot import served_slugs
from atlas_dagster.assets.quality import build_quality_checks
from atlas_dagster.defs.connections import BuiltConnections
from atlas_dagster.quality.contract import load_contracts
from atlas_dagster.quality.user_file import stray_files
from atlas_dagster.rules import AtlasRules
from atlas_dagster.settings import Settings


def build_quality(
    settings: Settings, connections: BuiltConnections, rules: AtlasRules
) -> dg.Definitions:
    """The checks of all streams that have layers.

    Raises ConfigError naming the file and line where a user's file cannot be read, or is about no
    stream. What names a column that is not there is no such error: columns come and go.
    """
    _refuse_stray_files(settings, connections)
    with_layers = [
        connection
        for connection in (*connections.embedded, *connections.served)
        if connection.has_layers
    ]
    checks: list[dg.AssetChecksDefinition] = []
    for connection in with_layers:
        contracts = load_contracts(settings, connection, rules)
        for stream in connection.streams:
            checks += build_quality_checks(stream, contracts[stream.slug], rules)
    return dg.Definitions(asset_checks=checks)


def _refuse_stray_files(settings: Settings, connections: BuiltConnections) -> None:
    served = served_slugs(settings)
    if served is None:  # whose connections the files are about is not known yet
        return
    streams: dict[str, Collection[str] | None] = {
        connection.slug: {stream.slug for stream in connection.streams}
        for connection in connections.embedded
    }
    for error in stray_files(settings, {**dict.fromkeys(served), **streams}):
        raise error
