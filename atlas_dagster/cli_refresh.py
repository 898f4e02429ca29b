"""`atlas refresh`: fetch the catalog of the Airbyte server."""

from __future__ import annotations

import click

from atlas_dagster.counted import counted
from atlas_dagster.errors import AirbyteUnavailableError, AtlasError
from atlas_dagster.settings import Settings, load_settings


@click.command()
def refresh() -> None:
    """Fetch the connections of the Airbyte server, for the next load of the definitions.

    Where that fails, those that were fetched last go on serving, and the exit code is 1.
    """
    refresh_catalog(load_settings())


def refresh_catalog(settings: Settings) -> None:
    """Fetch the catalog, and say what came; raises AtlasError where what serves is stale."""
    from atlas_dagster.airbyte.refresh import refresh as fetch
    from atlas_dagster.airbyte.snapshot import problems

    snapshot = fetch(settings)
    streams = sum(
        len(stored.details.get("syncCatalog", {}).get("streams", []))
        for stored in snapshot.connections
    )
    fetched = snapshot.fetched_at.isoformat(" ", "seconds")
    if snapshot.failure:
        raise AirbyteUnavailableError(f"{snapshot.failure}; the catalog of {fetched} serves")
    connections = counted(len(snapshot.connections), "connection")
    click.echo(f"{connections}, {counted(streams, 'stream')}")
    for problem in problems(snapshot):
        click.echo(f"atlas: {problem}", err=True)


def refresh_if_set(settings: Settings) -> None:
    """Fetch the catalog where there is a server; a failure is told and stops nothing."""
    if settings.airbyte is None:
        return
    try:
        refresh_catalog(settings)
    except AtlasError as error:
        click.echo(f"atlas: {error}", err=True)
