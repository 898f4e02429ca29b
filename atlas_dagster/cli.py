"""`atlas`: what Dagster's own command line does not do."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from dotenv import load_dotenv

from atlas_dagster import embedded_postgres
from atlas_dagster.cli_checks import checks
from atlas_dagster.cli_connector import connector
from atlas_dagster.cli_doctor import doctor
from atlas_dagster.cli_metrics import metrics
from atlas_dagster.cli_pii import pii
from atlas_dagster.cli_qalita import qalita
from atlas_dagster.cli_refresh import refresh, refresh_if_set
from atlas_dagster.cli_retention import retention
from atlas_dagster.cli_roles import roles
from atlas_dagster.cli_snapshot import snapshot
from atlas_dagster.cli_state import state
from atlas_dagster.cli_subject import subject
from atlas_dagster.cli_webhook import webhook
from atlas_dagster.counted import counted
from atlas_dagster.errors import AtlasError, ConfigError
from atlas_dagster.logs import log_format
from atlas_dagster.settings import Settings, load_settings
from atlas_dagster.warehouse import connect, migrate, resolve_url

# Dagster says of `dagster dev` that there is another command; nobody here has typed it.
SUPERSEDED = "ignore:Function `dev_command` is superseded:FutureWarning"
NOT_RUNNING_EXIT_CODE = 3  # as `pg_ctl status`


def main() -> None:
    """Run the command line; an AtlasError becomes one line on stderr and exit code 1."""
    load_dotenv(Path.cwd() / ".env")
    try:
        atlas()
    except AtlasError as error:
        click.echo(f"atlas: {error}", err=True)
        sys.exit(1)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="atlas-dagster")
def atlas() -> None:
    """Airbyte connections as Dagster assets, in Postgres layers."""


@atlas.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def dev(arguments: tuple[str, ...]) -> None:
    """Dagster's UI and daemon; ARGUMENTS go to `dagster dev`."""
    project = Path.cwd()
    if not (project / "dagster.yaml").is_file():
        raise ConfigError(f"{project} has no dagster.yaml: run atlas in the project's directory")
    settings = load_settings()
    with connect(resolve_url(settings)) as connection:
        migrate(connection)
    refresh_if_set(settings)
    dagster = [sys.executable, "-W", SUPERSEDED, "-m", "dagster", "dev"]
    command = [*dagster, *_log_options(arguments), *arguments]
    environment = {
        "DAGSTER_HOME": str(project),
        "ATLAS_DAGSTER_WEBSERVER_URL": _webserver_url(arguments),
        **os.environ,
    }
    os.execve(sys.executable, command, environment)


@atlas.command()
def demo() -> None:
    """Sync a real connector into the layers, twice, and show the result."""
    from atlas_dagster.demo import run_demo

    run_demo(load_settings())


@atlas.command(name="migrate")
def migrate_tables() -> None:
    """Bring the warehouse's own tables to this version; Dagster's: `dagster instance migrate`."""
    with connect(resolve_url(load_settings()), application="atlas migrate") as connection:
        applied = migrate(connection)
    for name in applied:
        click.echo(f"applied {name}")
    click.echo("the warehouse is up to date")


atlas.add_command(doctor)
atlas.add_command(roles)
atlas.add_command(checks)
atlas.add_command(connector)
atlas.add_command(refresh)
atlas.add_command(state)
atlas.add_command(snapshot)
atlas.add_command(retention)
atlas.add_command(pii)
atlas.add_command(subject)
atlas.add_command(webhook)
atlas.add_command(metrics)
atlas.add_command(qalita)


@atlas.group()
def postgres() -> None:
    """The embedded PostgreSQL."""


@postgres.command()
def start() -> None:
    """Start it, unless it runs, and print its URL."""
    click.echo(embedded_postgres.start(_embedded_settings().data_dir))


@postgres.command()
def url() -> None:
    """Print its URL, for psql and other clients; starts it, unless it runs."""
    click.echo(embedded_postgres.start(_embedded_settings().data_dir))


@postgres.command()
def programs() -> None:
    """Print the directory of its programs: psql, pg_dump, pg_restore and others."""
    click.echo(str(embedded_postgres.binaries()))


@postgres.command()
def stop() -> None:
    """Stop it, after what it holds is safe on disk."""
    data_dir = load_settings().data_dir
    sessions = embedded_postgres.sessions(data_dir)
    if not embedded_postgres.stop(data_dir):
        click.echo("PostgreSQL was not running")
    elif sessions:
        click.echo(f"PostgreSQL is stopped; {_ended(sessions)}")
    else:
        click.echo("PostgreSQL is stopped")


@postgres.command()
def status() -> None:
    """Say whether it runs; exit code 3 where it does not."""
    if not embedded_postgres.is_running(load_settings().data_dir):
        click.echo("PostgreSQL is not running")
        sys.exit(NOT_RUNNING_EXIT_CODE)
    click.echo("PostgreSQL is running")


def _ended(sessions: Mapping[str, int]) -> str:
    """Whose sessions went with the server, and what to do about it."""
    told = ", ".join(f"{counted(number, 'session')} of {name}" for name, number in sessions.items())
    were = "was" if sum(sessions.values()) == 1 else "were"
    who = "atlas dev" if "dagster" in sessions else "what had them"
    return f"{told} {were} ended: start it again, or stop {who}"


def _log_options(arguments: Sequence[str]) -> list[str]:
    """Dagster's own option for lines of JSON, unless the arguments name a format."""
    named = any(argument.partition("=")[0] == "--log-format" for argument in arguments)
    return ["--log-format", "json"] if log_format() == "json" and not named else []


def _webserver_url(arguments: Sequence[str]) -> str:
    """Where `dagster dev` starts its webserver, by its arguments."""
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-h", "--host", "--dagit-host", default="127.0.0.1")
    parser.add_argument("-p", "--port", "--dagit-port", default="3000")
    given, _ = parser.parse_known_args(arguments)
    host = "127.0.0.1" if given.host == "0.0.0.0" else given.host
    return f"http://{host}:{given.port}"


def _embedded_settings() -> Settings:
    settings = load_settings()
    if settings.warehouse_url:
        raise ConfigError("ATLAS_WAREHOUSE_URL is set, so the embedded PostgreSQL is not used")
    return settings
