"""`atlas qalita`: whether QALITA can be published to, what waits, and what it refused."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

import click

from atlas_dagster.cli_streams import aligned
from atlas_dagster.errors import ConfigError
from atlas_dagster.qalita import deliveries as ledger
from atlas_dagster.qalita.mapping import Subject, defined_subjects, load_mapping
from atlas_dagster.qalita.settings import URL_NAMES, load_qalita_server
from atlas_dagster.settings import Settings, load_settings
from atlas_dagster.warehouse import connect, migrate, resolve_session_url, resolve_url

MOST_LINES = 50
_HEADER = ("id", "delivery", "state", "tries", "reason")
_STATES = (ledger.DONE, ledger.OPEN, ledger.IN_DOUBT, ledger.PARKED)


@click.group()
def qalita() -> None:
    """QALITA: what is published to it."""


@qalita.command()
def doctor() -> None:
    """Look at version, sign-in, source, pack and mapping; exit code 1 where something is wrong."""
    settings = load_settings()
    server = load_qalita_server()
    if server is None:
        raise ConfigError(f"{URL_NAMES[0]}: not set; it names the platform, see .env.example")
    mapping = load_mapping(settings.config_dir)
    from atlas_dagster.http_retries import Retries
    from atlas_dagster.qalita.client import QalitaApi
    from atlas_dagster.qalita.doctor import examine
    from atlas_dagster.qalita.http import QalitaHttp

    api = QalitaApi(QalitaHttp(server, Retries(most=1)))
    is_well = True
    try:
        for finding in examine(api, mapping, defined_streams(settings)):
            is_well = is_well and finding.is_well
            verdict = "ok" if finding.is_well else "WRONG"
            click.echo(f"{finding.what:<8} {verdict:<6} {finding.text}")
    finally:
        api.http.close()
    if not is_well:
        sys.exit(1)


@qalita.command()
def deliveries() -> None:
    """What waits and what was refused, with the reason; and how many were delivered."""
    with connect(resolve_url(load_settings()), application="atlas qalita") as warehouse:
        migrate(warehouse)
        counts = ledger.count_states(warehouse)
        refused = ledger.parked(warehouse)
        unsent = ledger.unsent(warehouse, MOST_LINES)
    for line in _lines(refused, unsent):
        click.echo(line)
    hidden = sum(counts.get(state, 0) for state in (ledger.OPEN, ledger.IN_DOUBT)) - len(unsent)
    if hidden:
        click.echo(f"and {hidden:,} more that wait")
    told = [f"{counts.get(state, 0):,} {state.replace('_', ' ')}" for state in _STATES]
    click.echo(f"deliveries: {', '.join(told)}")


@qalita.command()
@click.argument("ids", metavar="[ID]...", nargs=-1, type=int)
def replay(ids: tuple[int, ...]) -> None:
    """Let refused deliveries be sent again, all unless ids are given; what arrived is not sent."""
    with connect(resolve_url(load_settings()), application="atlas qalita") as warehouse:
        migrate(warehouse)
        known = {each.id for each in ledger.parked(warehouse)}
        unknown = [str(each) for each in ids if each not in known]
        if unknown:
            raise ConfigError(
                f"no refused delivery {', '.join(unknown)}; see: atlas qalita deliveries"
            )
        replayed = ledger.replay(warehouse, list(ids) if ids else None)
    if replayed:
        click.echo(f"{_deliveries(replayed)} due again: the sensor qalita sends what is due")
    else:
        click.echo("no delivery is refused")


@qalita.command()
@click.option("--port", default=3080, show_default=True, help="Where it listens.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="On which address; it keeps nobody out who reaches it.",
)
@click.option("--clear", is_flag=True, help="Forget what arrived before.")
def sandbox(*, port: int, host: str, clear: bool) -> None:
    """A QALITA of your own, stored in the warehouse, until it is stopped; for trying things out."""
    from atlas_dagster.logs import configure_logging
    from atlas_dagster.qalita.sandbox import app

    configure_logging()
    database_url = resolve_session_url(load_settings())
    with connect(database_url, application="atlas qalita") as warehouse:
        migrate(warehouse)
    if clear:
        app.clear(database_url)
    with app.listen(port, host) as listener:
        url = app.base_url(listener, host)
        click.echo(f"what arrived is shown at {url}; to publish to it, in .env:")
        click.echo(f"QALITA_BASE_URL={url}")
        click.echo(f"QALITA_API_TOKEN={app.API_TOKEN}")
        app.serve(database_url, listener, host)
    click.echo("stopped; what arrived is stored")


def _deliveries(count: int) -> str:
    return f"{count:,} delivery is" if count == 1 else f"{count:,} deliveries are"


def _lines(refused: Sequence[ledger.Parked], unsent: Sequence[ledger.Unsent]) -> Iterator[str]:
    rows = [
        (str(each.id), each.key, ledger.PARKED, "", _reason(each.reason, each.request_id))
        for each in refused
    ]
    rows += [
        (str(each.id), each.key, each.state.replace("_", " "), str(each.tries), each.reason or "")
        for each in unsent
    ]
    if rows:
        yield from aligned([_HEADER, *rows], right=(0, 3))


def _reason(reason: str, request_id: str | None) -> str:
    return f"{reason} (request {request_id})" if request_id else reason


def defined_streams(settings: Settings) -> list[Subject]:
    """The streams that are defined, embedded and of an Airbyte server."""
    from atlas_dagster.airbyte.workspace import build_workspace

    workspace = build_workspace(settings)
    served = [found.connection for found in workspace.server_connections()]
    subjects = defined_subjects([*workspace.connections(), *served])
    return [subject for subject in subjects.values() if subject.stream]
