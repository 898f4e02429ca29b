"""`atlas metrics`: what the warehouse tells, for Prometheus."""

from __future__ import annotations

import click

from atlas_dagster.settings import (
    METRICS_HOST_NAME,
    METRICS_PORT,
    METRICS_PORT_NAME,
    load_settings,
)
from atlas_dagster.warehouse import resolve_url


@click.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    envvar=METRICS_HOST_NAME,
    show_envvar=True,
    help="Where it listens.",
)
@click.option(
    "--port",
    default=METRICS_PORT,
    show_default=True,
    type=click.IntRange(0, 65535),
    envvar=METRICS_PORT_NAME,
    show_envvar=True,
    help="0: any that is free.",
)
def metrics(*, host: str, port: int) -> None:
    """Answer Prometheus at /metrics until it is stopped; it only reads."""
    settings = load_settings()
    url = resolve_url(settings)
    from atlas_dagster.http_server import base_url, listen
    from atlas_dagster.metrics.definitions import DefinitionsReader
    from atlas_dagster.metrics.server import PATH, serve

    with listen(host, port, "--host, --port") as listener:
        click.echo(f"listening on {base_url(host, listener)}{PATH}")
        serve(url, DefinitionsReader(settings), listener)
    click.echo("stopped")
