"""`atlas webhook`: the receiver of Airbyte's notifications."""

from __future__ import annotations

from dataclasses import replace

import click

from atlas_dagster.settings import load_settings, load_webhook_settings
from atlas_dagster.warehouse import connect, migrate, resolve_url


@click.command()
@click.option("--host", help="Where it listens; default: ATLAS_WEBHOOK_HOST, else 127.0.0.1.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="0: any that is free; default: ATLAS_WEBHOOK_PORT, else 8010.",
)
def webhook(*, host: str | None, port: int | None) -> None:
    """Receive Airbyte's webhooks until it is stopped."""
    settings = load_settings()
    given = load_webhook_settings()
    receiver = replace(
        given,
        host=given.host if host is None else host,
        port=given.port if port is None else port,
    )
    from atlas_dagster.http_server import base_url
    from atlas_dagster.webhook.app import PATH
    from atlas_dagster.webhook.server import listen, serve

    url = resolve_url(settings)
    with connect(url, application="atlas webhook") as connection:
        migrate(connection)
    with listen(receiver) as listener:
        base = base_url(receiver.host, listener)
        click.echo(f"listening on {base}")
        click.echo(f"the URL for Airbyte's webhooks: {base}{PATH}/<ATLAS_WEBHOOK_TOKEN>")
        serve(receiver, url, listener)
    click.echo("stopped; what was accepted is stored")
