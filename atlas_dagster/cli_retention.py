"""`atlas retention`: drop the record versions that explore need not keep any longer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timezone

import click

from atlas_dagster.airbyte.snapshot import served_slugs
from atlas_dagster.errors import ConfigError
from atlas_dagster.layers.retention import drop_old_versions, find_old_versions, first_kept_day
from atlas_dagster.names import layer_table
from atlas_dagster.rules import load_rules
from atlas_dagster.settings import load_settings
from atlas_dagster.warehouse import PgConnection, connect, migrate, resolve_url

StreamName = tuple[str, str]


@click.command()
@click.argument("streams", metavar="[CONNECTION/STREAM]...", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Say what would be dropped, and drop nothing.")
def retention(streams: tuple[str, ...], dry_run: bool) -> None:
    """Drop versions from explore that are older than retention_days. Default: of all streams."""
    settings = load_settings()
    limits = load_rules(settings, served_slugs(settings)).retention_days()
    with connect(resolve_url(settings), application="atlas retention") as warehouse:
        migrate(warehouse)
        chosen = _chosen(warehouse, streams, limits)
        for connection, stream in chosen:
            label = f"{connection}/{stream}"
            if days := limits.get((connection, stream)):
                _retain(warehouse, label, layer_table(connection, stream), days, dry_run=dry_run)
            else:
                click.echo(f"{label}: no retention_days, explore keeps all versions")
    if not chosen:
        click.echo("no stream has retention_days: explore keeps all versions")


def _retain(
    warehouse: PgConnection, label: str, table_name: str, days: int, *, dry_run: bool
) -> None:
    old = find_old_versions(warehouse, table_name, first_kept_day(days, _today()))
    if dry_run:
        click.echo(f"{label}: {old.told('would be dropped')}")
        return

    def report(progress: str) -> None:
        click.echo(f"{label}: {progress}", err=True)

    click.echo(f"{label}: {drop_old_versions(warehouse, table_name, old, report).told('dropped')}")


def _chosen(
    warehouse: PgConnection, named: Sequence[str], limits: Mapping[StreamName, int]
) -> list[StreamName]:
    """The streams that were named, else those with a limit; raises ConfigError on others."""
    if not named:
        return sorted(limits)
    rows = warehouse.execute("select connection, stream from pipeline.stream").fetchall()
    known = {(str(connection), str(stream)) for connection, stream in rows} | limits.keys()
    chosen: list[StreamName] = []
    for name in named:
        connection, _, stream = name.partition("/")
        if (connection, stream) not in known:
            there_are = ", ".join(sorted("/".join(pair) for pair in known)) or "none"
            raise ConfigError(f"no stream {name!r}; there are: {there_are}")
        chosen.append((connection, stream))
    return chosen


def _today() -> date:
    return datetime.now(timezone.utc).date()
