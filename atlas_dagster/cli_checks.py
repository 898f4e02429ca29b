"""`atlas checks`: the quality checks of a stream, derived ones and those of its file."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from atlas_dagster.airbyte.snapshot import served_slugs
from atlas_dagster.catalog import Connection, Stream, Table
from atlas_dagster.catalog_store import load_connection
from atlas_dagster.errors import ConfigError, WarehouseError
from atlas_dagster.layers.policy import StreamPolicy, charted_policy
from atlas_dagster.layers.stream_columns import registered_stream
from atlas_dagster.pii_rules import Action
from atlas_dagster.quality.check_text import contract_json, contract_lines
from atlas_dagster.quality.contract import load_contract, refuse_mistakes
from atlas_dagster.quality.derive import as_charted, derive_checks
from atlas_dagster.quality.policed import PolicedChecks, police_checks
from atlas_dagster.quality.spec import Check
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
        contract = load_contract(settings, found.connection, found.rules, found.charted)
        policed = _police(found, contract.checks)
    if as_json:
        click.echo(json.dumps(contract_json(contract, policed.not_checked), indent=2))
    else:
        for line in contract_lines(contract, policed.not_checked):
            click.echo(line)
    refuse_mistakes(contract)


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


def _police(found: _Found, made: tuple[Check, ...]) -> PolicedChecks:
    """What is left of the checks under the policy that chart was built with."""
    others = {
        other.table_name: _by_column(other, charted_policy(found.warehouse, other.chart))
        for other in found.connection.streams
    }
    policy = charted_policy(found.warehouse, Table("chart", found.stream.table_name))
    return police_checks(found.charted, made, _actions(policy), others)


def _actions(policy: StreamPolicy) -> dict[str, Action]:
    """What a policy does to whole fields."""
    return {field.path[0]: field.action for field in policy.fields if len(field.path) == 1}


def _by_column(stream: Stream, policy: StreamPolicy) -> dict[str, Action]:
    actions = _actions(policy)
    return {c.layer: actions[c.name] for c in stream.columns if c.name in actions}


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
