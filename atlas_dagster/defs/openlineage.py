"""OpenLineage: the sensor that tells a backend of runs, and what it knows of their streams."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

import dagster as dg

from atlas_dagster.assets.openlineage_datasets import KnownStream, Surroundings
from atlas_dagster.assets.openlineage_sensor import build_openlineage_sensor
from atlas_dagster.defs.project import Project
from atlas_dagster.embedded_postgres import DATABASE
from atlas_dagster.lineage.model import Engine
from atlas_dagster.lineage.naming import (
    DEFAULT_NAMESPACE,
    embedded_source,
    foreign_destination,
    server_source,
    warehouse_database,
    warehouse_namespace,
)
from atlas_dagster.lineage.transport import NAMESPACE


def build_openlineage(project: Project) -> dg.Definitions:
    """The sensor; what it tells within is read when it is needed."""
    return dg.Definitions(sensors=[build_openlineage_sensor(lambda: surroundings(project))])


def surroundings(project: Project) -> Surroundings:
    """What events of a project are told within; no server is asked.

    Raises ConfigError naming the variable that is wrong.
    """
    url = project.settings.warehouse_url or f"postgresql:///{DATABASE}?host=/"  # by a socket
    return Surroundings(
        namespace=os.environ.get(NAMESPACE) or DEFAULT_NAMESPACE,
        warehouse=warehouse_namespace(url, os.environ),
        database=warehouse_database(url, os.environ),
        engine=Engine(dg.__version__, _own_version()),
        streams={(k.stream.connection, k.stream.slug): k for k in _known(project)},
    )


def _known(project: Project) -> Iterator[KnownStream]:
    embedded = project.workspace.get_client().embedded_connections()
    packages = {connection.slug: connection.package for connection in embedded}
    server = project.settings.airbyte
    for slug, connection in project.connections.items():
        if slug in packages:
            source = embedded_source(packages[slug])
        else:
            source = server_source(server.rest_url if server else "")
        lands = connection.has_layers
        destination = None if lands else foreign_destination(connection.destination_type)
        owners = tuple(project.rules.connection(slug).owners)
        for stream in connection.streams:
            yield KnownStream(stream, source, destination, owners)


def _own_version() -> str:
    try:
        return version("atlas-dagster")
    except PackageNotFoundError:
        return "unknown"
