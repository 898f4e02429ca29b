"""Dagster's instance, and the servers that Atlas speaks to where they are set."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx

from atlas_dagster.doctor.database import clock_finding, is_asleep, warehouse_url
from atlas_dagster.doctor.probes import Finding, doubtful, well, wrong
from atlas_dagster.http_retries import Retries
from atlas_dagster.settings import AirbyteServer, Settings
from atlas_dagster.warehouse import connect

ONCE = Retries(most=1)


def look_at_dagster(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """DAGSTER_HOME, the storage, and the daemon by its heartbeats."""
    problem = _home_problem(environ)
    if problem:
        yield wrong("dagster", problem)
        return
    if settings.dagster_url is None and is_asleep(settings):
        yield doubtful("dagster", "its storage is the embedded PostgreSQL, which does not run")
        return
    with connect(settings.dagster_url or warehouse_url(settings), application="atlas doctor"):
        pass  # a clearer word than Dagster's where it does not answer
    home = environ["DAGSTER_HOME"]
    from atlas_dagster.dagster_storage import has_tables

    if not has_tables(settings):
        yield well("dagster", f"{home}: no tables yet: the first start makes them")
        return
    import dagster as dg
    from dagster._daemon.controller import get_daemon_statuses

    with dg.DagsterInstance.from_config(home) as instance:
        yield well("dagster", f"{home}: {instance.get_runs_count():,} runs")
        statuses = get_daemon_statuses(
            instance, instance.get_required_daemon_types(), ignore_errors=True
        )
    silent = sorted(name for name, status in statuses.items() if not status.healthy)
    if not silent:
        yield well("daemon", f"{len(statuses)} of {len(statuses)} parts gave a sign of life")
    elif len(silent) == len(statuses):
        yield doubtful(
            "daemon",
            "no sign of life: schedules, sensors, backfills and queued runs wait for"
            " dagster-daemon run (make dev has it)",
        )
    else:
        yield doubtful("daemon", f"no sign of life of {', '.join(silent).lower()}; start it again")


def _home_problem(environ: Mapping[str, str]) -> str | None:
    home = environ.get("DAGSTER_HOME")
    if not home:
        return "DAGSTER_HOME: not set; make install writes it into .env"
    if not os.path.isabs(home):  # noqa: PTH117 - as Dagster asks
        return f"DAGSTER_HOME: expected an absolute path, found {home!r}"
    if not (Path(home) / "dagster.yaml").is_file():
        return f"DAGSTER_HOME: {home} has no dagster.yaml; copy Atlas' own there"
    return None


def look_at_airbyte(server: AirbyteServer) -> Iterator[Finding]:
    """Whether the server answers, takes the credentials and has the workspace; its clock."""
    from atlas_dagster.airbyte.http import AirbyteHttp
    from atlas_dagster.airbyte.server import AirbyteApi

    with closing(AirbyteHttp(server, ONCE)) as http:
        api = AirbyteApi(http)
        api.check_workspace()
        count = len(api.connections())
    yield well(
        "airbyte", f"{server.rest_url}: workspace {server.workspace_id}, {count:,} connections"
    )
    finding = _airbyte_clock(server)
    if finding:
        yield finding


def _airbyte_clock(server: AirbyteServer) -> Finding | None:
    """The difference by the header `Date`, which is in whole seconds, of any answer at all."""
    asked = time.time()
    try:
        answer = httpx.get(f"{server.rest_url}/health", timeout=server.request_seconds)
        date = parsedate_to_datetime(answer.headers["Date"])
    except (httpx.HTTPError, KeyError, ValueError, TypeError):
        return doubtful("airbyte", "its clock is not known: it gave no header Date to be read")
    if date.tzinfo is None:  # "-0000": a time in UTC, told by who knows no zone
        date = date.replace(tzinfo=timezone.utc)
    here = datetime.fromtimestamp((asked + time.time()) / 2, timezone.utc)
    return clock_finding("airbyte", "Airbyte", (here - date).total_seconds())


def look_at_qalita(settings: Settings) -> Iterator[Finding]:
    """What `atlas qalita doctor` looks at, where QALITA is set."""
    from atlas_dagster.cli_qalita import defined_streams
    from atlas_dagster.qalita.client import QalitaApi
    from atlas_dagster.qalita.doctor import examine
    from atlas_dagster.qalita.http import QalitaHttp
    from atlas_dagster.qalita.mapping import load_mapping
    from atlas_dagster.qalita.settings import load_qalita_server

    server = load_qalita_server()
    if server is None:
        return
    mapping = load_mapping(settings.config_dir)
    with closing(QalitaHttp(server, ONCE)) as http:
        for found in examine(QalitaApi(http), mapping, defined_streams(settings)):
            make = well if found.is_well else wrong
            yield make("qalita", f"{found.what}: {found.text}")
