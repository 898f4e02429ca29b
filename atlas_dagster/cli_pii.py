"""`atlas pii`: the personal data that was found, in all streams."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

import click

from atlas_dagster.airbyte.snapshot import served_slugs
from atlas_dagster.catalog import Table
from atlas_dagster.cli_streams import aligned, chosen_streams, known_streams
from atlas_dagster.counted import counted
from atlas_dagster.layers.policy import charted_policy
from atlas_dagster.names import layer_table
from atlas_dagster.pii.report import ReportedField, StreamReport, report_stream
from atlas_dagster.pii.store import StoredFailure
from atlas_dagster.pii_rules import Action, Path, field_name
from atlas_dagster.rules import load_rules
from atlas_dagster.settings import load_settings
from atlas_dagster.warehouse import PgConnection, connect, migrate, resolve_url, table_exists

_HEADER = (
    *("stream", "field", "entity", "kind", "share", "confidence"),
    *("first day", "last day", "policy", "named"),
)


@click.group()
def pii() -> None:
    """Personal data: what scans have found."""


@pii.command()
@click.argument("stream", metavar="[CONNECTION[/STREAM]]", required=False)
@click.option("--json", "as_json", is_flag=True, help="As JSON, an object a stream.")
def report(stream: str | None, *, as_json: bool) -> None:
    """Fields with personal data, and what chart does with it. Default: of all streams.

    share: of the field's values, how many hold it, - where only its name tells; policy: what chart
    was built with, - where there is no chart; named: whether a rule in config/atlas.yaml names the
    field or the entity.
    """
    settings = load_settings()
    rules = load_rules(settings, served_slugs(settings))
    with connect(resolve_url(settings), application="atlas pii") as warehouse:
        migrate(warehouse)
        reports = [
            report_stream(
                warehouse,
                f"{connection}/{name}",
                layer_table(connection, name),
                rules.stream(connection, name).pii,
                _charted(warehouse, layer_table(connection, name)),
            )
            for connection, name in chosen_streams(known_streams(warehouse), stream)
        ]
    if as_json:
        click.echo(json.dumps([_json(found) for found in reports], indent=2, default=str))
        return
    for line in _lines(reports):
        click.echo(line)


def _charted(connection: PgConnection, table_name: str) -> Callable[[Path], Action] | None:
    """What chart was built with, by field, where there is one."""
    chart = Table("chart", table_name)
    return charted_policy(connection, chart).action if table_exists(connection, chart) else None


def _lines(reports: Sequence[StreamReport]) -> Iterator[str]:
    rows = [(found.label, *_cells(field)) for found in reports for field in found.fields]
    if rows:
        yield from aligned([_HEADER, *rows], right=(4, 5))
    else:
        yield "no personal data was found"
    for found in reports:
        for failure in found.failures:
            span = _span(failure.first_day, failure.last_day)
            yield f"{found.label}: not all could be looked for: {failure}, {span}"
        if missed := found.unscanned:
            span = _span(missed.first, missed.last)
            days, versions = counted(missed.days, "day"), counted(missed.rows, "record version")
            yield f"{found.label}: never scanned: {days}, {span}, {versions}"


def _span(first: date, last: date) -> str:
    return f"{first} to {last}" if last > first else str(first)


def _cells(field: ReportedField) -> tuple[str, ...]:
    return (
        field.name,
        field.entity,
        field.kind,
        _share(field),
        f"{field.confidence:.2f}",
        str(field.first_day),
        str(field.last_day),
        field.policy.value if field.policy else "-",
        "yes" if field.is_named else "no",
    )


def _share(field: ReportedField) -> str:
    """What the values bear out; nothing can be said where the field's name alone tells."""
    return "-" if field.kind == "name" and not field.share else f"{field.share:.1%}"


def _json(found: StreamReport) -> dict[str, Any]:
    return {
        "stream": found.label,
        "fields": [
            {**asdict(field), "policy": field.policy.value if field.policy else None}
            for field in found.fields
        ],
        "failures": [_failure(failure) for failure in found.failures],
        "never_scanned": asdict(found.unscanned) if found.unscanned else None,
    }


def _failure(failure: StoredFailure) -> dict[str, Any]:
    told = asdict(failure)
    return {"name": field_name(told.pop("path")), **told}
