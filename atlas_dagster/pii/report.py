"""Personal data by stream: what scans found, what chart does with it, what was never scanned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from psycopg import sql

from atlas_dagster.catalog import Table
from atlas_dagster.days import readable_day
from atlas_dagster.pii.store import StoredFailure, StoredVerdict, load_failures, load_verdicts
from atlas_dagster.pii_rules import Action, Path, PiiPolicy, field_name
from atlas_dagster.warehouse import PgConnection, table_exists


@dataclass(frozen=True)
class Unscanned:
    """The days of a stream's explore that no scan has seen."""

    days: int
    first: date
    last: date
    rows: int


@dataclass(frozen=True)
class ReportedField:
    """Personal data in a field.

    ``policy`` is what chart was built with; None: there is no chart. ``is_named``: a rule names the
    field, or what is found in it.
    """

    name: str
    entity: str
    kind: str
    share: float
    confidence: float
    first_day: date
    last_day: date
    policy: Action | None
    is_named: bool


@dataclass(frozen=True)
class StreamReport:
    """A stream's personal data, what a recognizer failed on, and the days never scanned."""

    label: str
    fields: tuple[ReportedField, ...]
    failures: tuple[StoredFailure, ...]
    unscanned: Unscanned | None


def report_stream(
    connection: PgConnection,
    label: str,
    table_name: str,
    rules: PiiPolicy,
    charted: Callable[[Path], Action] | None,
) -> StreamReport:
    """What is known of one stream, surest first within a field.

    ``charted`` is what chart was built with, by field; None: there is no chart.
    """
    verdicts = load_verdicts(connection, table_name)
    return StreamReport(
        label,
        tuple(_fields(verdicts, rules, charted)),
        tuple(load_failures(connection, table_name)),
        _unscanned(connection, table_name),
    )


def _fields(
    verdicts: Sequence[StoredVerdict],
    rules: PiiPolicy,
    charted: Callable[[Path], Action] | None,
) -> list[ReportedField]:
    return [
        ReportedField(
            name=field_name(verdict.path),
            entity=verdict.entity,
            kind=verdict.kind,
            share=verdict.share,
            confidence=verdict.confidence,
            first_day=verdict.first_day,
            last_day=verdict.last_day,
            policy=charted(verdict.path) if charted else None,
            is_named=rules.decide(field_name(verdict.path), [verdict.entity]).is_expected,
        )
        for verdict in verdicts
    ]


def _unscanned(connection: PgConnection, table_name: str) -> Unscanned | None:
    if not table_exists(connection, Table("explore", table_name)):
        return None
    row = connection.execute(count_unscanned(table_name)).fetchone()
    return Unscanned(*row) if row and row[0] else None


def count_unscanned(table_name: str) -> sql.Composed:
    """SQL: the days of explore without a scan, the first and the last one, and their versions."""
    return sql.SQL(
        """
        select count(*), min({day}), max({day}), coalesce(sum(rows), 0)::bigint
        from (
            select _atlas_partition, count(*) as rows from {explore} group by 1
        ) as explored
        where not exists (
            select from pipeline.pii_scan as scan
            where scan.table_name = {table_name} and scan.day = explored._atlas_partition
        )
        """
    ).format(
        day=readable_day(sql.SQL("_atlas_partition")),
        explore=sql.Identifier("explore", table_name),
        table_name=sql.Literal(table_name),
    )
