"""`atlas checks`: the quality checks of a stream, derived ones and those of its file."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from atlas_dagster.airbyte.snapshot import served_slugs
from atlas_dagster.catalog import Connection, Stream
from atlas_dagster.catalog_store import load_connection
from atlas_dagster.charted_contract import charted_contract, charted_mistakes
from atlas_dagster.errors import ConfigError, WarehouseError
from atlas_dagster.layers.stream_columns import registered_stream
from atlas_dagster.quality.check_text import contract_json, contract_lines
from atlas_dagster.quality.contract import refuse_mistakes
from atlas_dagster.quality.derive import as_charted, derive_checks
from atlas_dagster.quality.surroundings import load_surroundings
from atlas_dagster.quality.user_file import checks_file
from atlas_dagster.quality.user_template import user_template
from atlas_dagster.rules import AtlasRules, load_rules
from atlas_dagster.settings import Settings, load_settings
from atlas_dagster.warehouse import PgConnection, connect, migrate, resolve_url
from atlas_dagster.yaml_source import shown_path, suggestion


@click.group()
def checks() -> None:
    """Quality checks: show them, start a file of your own."""


@checks.command()
@click.argument("stream", metavar="CONNECTION/STREAM")
@click.option("--json", "as_json", is_flag=True, help="As a JSON array.")
def show(stream: str, as_json: bool) -> None:
    """The checks of a stream as of its last sync: thresholds, and where each comes from."""
    settings = load_settings()
    with _found(settings, stream) as found:
        made = charted_contract(
            found.warehouse, settings, found.connection, found.rules, found.stream
        )
        mistakes = charted_mistakes(found.warehouse, made)
    contract, not_checked = made.contract, made.policed.not_checked
    if as_json:
        click.echo(json.dumps(contract_json(contract, not_checked), indent=2))
    else:
        for line in contract_lines(contract, not_checked):
            click.echo(line)
    refuse_mistakes(contract)
    if mistakes:
        raise mistakes[0]


@checks.command()
@click.argument("stream", metavar="CONNECTION/STREAM")
def init(stream: str) -> None:
    """Write config/checks/CONNECTION/STREAM.yml: comments that say what may stand there."""
    settings = load_settings()
    with _found(settings, stream) as found:
        around = load_surroundings(found.connection, found.rules)[found.charted.slug]
        current = as_charted(found.stream, found.charted)
        text = user_template(current, derive_checks(current, around))
    path = checks_file(settings, found.connection.slug, found.stream.slug)
    _write_new(path, text)
    click.echo(f"{stream}: {shown_path(path)} written; it changes nothing yet")


@dataclass(frozen=True)
class _Found:
    """A stream by the catalog of its last sync; ``charted`` has all columns it ever had."""

    warehouse: PgConnection
    rules: AtlasRules
    connection: Connection
    stream: Stream
    charted: Stream


@contextmanager
def _found(settings: Settings, name: str) -> Generator[_Found]:
    slug, _, stream_slug = name.partition("/")
    rules = load_rules(settings, served_slugs(settings))
    with connect(resolve_url(settings), application="atlas checks") as warehouse:
        migrate(warehouse)
        rows = warehouse.execute("select connection from pipeline.catalog").fetchall()
        known = [str(row[0]) for row in rows]
        if slug not in known:
            told = suggestion(slug, known) if known else "none has been synced yet"
            raise WarehouseError(f"no connection {slug!r} has been synced; {told}")
        connection = load_connection(warehouse, slug)
        streams = {stream.slug: stream for stream in connection.streams}
        if stream_slug not in streams:
            raise WarehouseError(
                f"{slug} has no stream {stream_slug!r}; {suggestion(stream_slug, streams)}"
            )
        stream = streams[stream_slug]
        yield _Found(warehouse, rules, connection, stream, registered_stream(warehouse, stream))


def _write_new(path: Path, text: str) -> None:
    """Write a file that is not there; raises ConfigError where it is."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(f"{shown_path(path)}: is there already; it stays as it is") from None
    except OSError as error:
        raise ConfigError(f"{shown_path(path)}: not writable: {error.strerror}") from None
