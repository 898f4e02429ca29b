"""`atlas snapshot`: syncs that were not believed, because too many keys would vanish."""

from __future__ import annotations

import click

from atlas_dagster.catalog import Stream
from atlas_dagster.catalog_store import load_stream
from atlas_dagster.errors import ConfigError
from atlas_dagster.layers.snapshots import accept_snapshot, open_refusals
from atlas_dagster.settings import load_settings
from atlas_dagster.warehouse import PgConnection, connect, migrate, resolve_url


@click.group()
def snapshot() -> None:
    """Syncs that would make too many keys vanish: show, accept."""


@snapshot.command()
@click.argument("stream", metavar="CONNECTION/STREAM")
def show(stream: str) -> None:
    """The syncs that are not believed."""
    with _warehouse() as warehouse:
        found = _load_stream(warehouse, stream)
        refusals = open_refusals(warehouse, found.table_name)
        if not refusals:
            click.echo(f"{stream}: every sync is believed")
        for refusal in refusals:
            click.echo(
                f"sync {refusal.job_id}  {refusal.instant.isoformat(' ', 'seconds')}"
                f"  {refusal.vanishing:,} of {refusal.known:,} keys would vanish"
            )


@snapshot.command()
@click.argument("stream", metavar="CONNECTION/STREAM")
@click.argument("sync", type=int)
def accept(stream: str, sync: int) -> None:
    """Believe a sync after all, from the next build of its day on."""
    with _warehouse() as warehouse:
        found = _load_stream(warehouse, stream)
        days = {r.job_id: r.instant.date() for r in open_refusals(warehouse, found.table_name)}
        if not accept_snapshot(warehouse, found.table_name, sync):
            raise ConfigError(f"{stream}: sync {sync} was not refused")
    job = f"{found.connection}_layers"
    click.echo(f"accepted; now run the job {job} for the partition {days[sync]}")


def _warehouse() -> PgConnection:
    connection = connect(resolve_url(load_settings()), application="atlas snapshot")
    migrate(connection)
    return connection


def _load_stream(connection: PgConnection, name: str) -> Stream:
    slug, _, stream = name.partition("/")
    return load_stream(connection, slug, stream)
