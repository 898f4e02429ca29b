"""The quality checks of every stream, out of its catalog and its file under ``config/checks``."""

from __future__ import annotations

from collections.abc import Collection

import dagster as dg

from atlas_dagster.airbyte.snapshot import known_slugs
from atlas_dagster.assets.quality import build_quality_checks
from atlas_dagster.defs.project import Project
from atlas_dagster.quality.contract import load_contracts
from atlas_dagster.quality.user_file import stray_files


def build_connection_checks(project: Project, slug: str) -> list[dg.AssetChecksDefinition]:
    """The checks of the streams of a connection; none where it has no layers.

    Raises ConfigError naming the file and line where a user's file cannot be read. What names a
    column that is not there is no such error: columns come and go.
    """
    connection = project.connections[slug]
    if not connection.has_layers:
        return []
    contracts = load_contracts(project.settings, connection, project.rules)
    return [
        checks
        for stream in connection.streams
        for checks in build_quality_checks(stream, contracts[stream.slug], project.rules)
    ]


def refuse_stray_files(project: Project) -> None:
    """Raise ConfigError, naming the file, of the first under ``config/checks`` of no stream."""
    served = known_slugs(project.settings, project.snapshot)
    if served is None:  # whose connections the files are about is not known yet
        return
    streams: dict[str, Collection[str] | None] = {
        slug: {stream.slug for stream in connection.streams}
        for slug, connection in project.connections.items()
        if slug not in project.served
    }
    for error in stray_files(project.settings, {**dict.fromkeys(served), **streams}):
        raise error
