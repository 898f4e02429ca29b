"""The checks that a query of ours measures: its two counts are read in one pass over the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from psycopg import sql

from atlas_dagster.catalog import Table
from atlas_dagster.quality import check_sql
from atlas_dagster.quality.judge import Measured
from atlas_dagster.quality.spec import (
    Check,
    DuplicateParameters,
    ExpectedColumn,
    FreshnessParameters,
    HistoryParameters,
    RecordCountParameters,
    ReferenceParameters,
    Rule,
    SchemaParameters,
)
from atlas_dagster.warehouse import PgConnection, table_columns

SHOWN_COLUMNS = 5

_SPELLINGS = {"varchar": "character varying"}


@dataclass(frozen=True)
class Scan:
    """What is scanned: a chart table, whole or of the days from the first to the last."""

    table: Table
    days: tuple[date, date] | None = None


def ask(
    connection: PgConnection,
    scan: Scan,
    check: Check,
    types: Mapping[str, str],
    newest: date | None,
) -> Measured:
    """Measure a check by its own query; raises psycopg.Error where that fails."""
    match check.parameters:
        case DuplicateParameters() as wanted:
            query = check_sql.duplicates(check, wanted, scan.table, scan.days)
        case ReferenceParameters() as wanted:
            return _references(connection, scan, check, wanted, types)
        case RecordCountParameters() as wanted:
            query = check_sql.lost_records(wanted, scan.days)
            return _counts(connection, query, "no complete sync to compare with")
        case HistoryParameters() as wanted:
            query = check_sql.broken_history(wanted, scan.table, scan.days)
        case FreshnessParameters() as wanted:
            assert newest is not None
            name = check.columns[0]
            return _value(connection, check_sql.age_on(name, wanted, scan.table, newest))
        case _:
            assert check.rule is Rule.ROW_COUNT, f"{check.rule} has no query of ours"
            return _value(connection, check_sql.rows_of_all_days(scan.table))
    return _counts(connection, query)


def was_synced(connection: PgConnection, scan: Scan) -> bool:
    """Whether a sync is known of the days that are scanned, be it one without rows."""
    if scan.days is None:
        return True
    row = connection.execute(check_sql.was_synced(scan.table, scan.days)).fetchone()
    return bool(row and row[0])


def compare_schema(check: Check, types: Mapping[str, str]) -> Measured:
    """How many of the expected columns a table does not have, or not with their type."""
    wanted = check.parameters
    assert isinstance(wanted, SchemaParameters)
    amiss = [told for column in wanted.columns if (told := _difference(column, types))]
    note = "; ".join(amiss[:SHOWN_COLUMNS])
    if len(amiss) > SHOWN_COLUMNS:
        note += f"; and {len(amiss) - SHOWN_COLUMNS} more"
    return Measured(tested=len(wanted.columns), failed=len(amiss), note=note)


def _difference(column: ExpectedColumn, types: Mapping[str, str]) -> str | None:
    found = types.get(column.name)
    if found is None:
        return f"{column.name} is missing"
    expected = _SPELLINGS.get(column.type, column.type)
    return f"{column.name} is {found}, not {expected}" if found != expected else None


def _references(
    connection: PgConnection,
    scan: Scan,
    check: Check,
    wanted: ReferenceParameters,
    types: Mapping[str, str],
) -> Measured:
    others = table_columns(connection, wanted.table)
    if not others:
        return Measured(note=f"{wanted.table} does not exist yet")
    query = check_sql.unreferenced(
        check,
        wanted,
        scan.table,
        scan.days,
        as_text=others.get(wanted.column) != types[check.columns[0]],
    )
    return _counts(connection, query)


def _counts(connection: PgConnection, query: sql.Composed, otherwise: str = "") -> Measured:
    row = connection.execute(query).fetchone()
    if row is None:
        return Measured(note=otherwise)
    return Measured(tested=int(row[0]), failed=int(row[1]))


def _value(connection: PgConnection, query: sql.Composed) -> Measured:
    row = connection.execute(query).fetchone()
    return Measured(value=row[0] if row else None)
