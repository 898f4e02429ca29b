"""A few of the rows that failed a check, for people to look at; they never leave PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql
from typing_extensions import LiteralString

from atlas_dagster.catalog import Stream
from atlas_dagster.quality import check_sql
from atlas_dagster.quality.queries import Scan
from atlas_dagster.quality.row_sql import as_text, not_null, row_condition, written
from atlas_dagster.quality.spec import (
    Check,
    DuplicateParameters,
    HistoryParameters,
    HistoryRule,
    Outcome,
    ReferenceParameters,
    Rule,
    UserParameters,
)
from atlas_dagster.warehouse import PgConnection, identifier, table_columns

NATURAL_KEY, ERRORS = "_atlas_natural_key", "_atlas_errors"

LIMIT = 20
LONGEST = 100  # characters of a value

_BY_CONDITION = (Rule.MISSING, Rule.INVALID, Rule.TEXT_DAMAGE, Rule.CAST_LOSS, Rule.PAIR)


@dataclass(frozen=True)
class PersonalFields:
    """Which fields of a stream hold personal data, by property and by column of chart.

    ``in_key``: the natural key is made of such. Where nothing was ever scanned, nothing is known.
    """

    names: frozenset[str] = frozenset()
    in_key: bool = False
    is_scanned: bool = False

    def is_clear(self, name: str) -> bool:
        """Whether the values of a column may be shown."""
        return not self.in_key if name == NATURAL_KEY else name not in self.names


def personal_fields(
    connection: PgConnection, stream: Stream, key: Iterable[Sequence[str]]
) -> PersonalFields:
    """What scans for personal data found in a stream, whose natural key is made of ``key``."""
    row = connection.execute(
        """
        select
            array(
                select distinct path[1] from pipeline.pii_finding
                where table_name = %(table)s and verdict is not null
            ),
            exists (select from pipeline.pii_scan where table_name = %(table)s)
        """,
        {"table": stream.table_name},
    ).fetchone()
    assert row is not None
    found = frozenset(map(str, row[0]))
    layers = {column.layer for column in stream.columns if column.name in found}
    return PersonalFields(found | layers, any(path[0] in found for path in key), bool(row[1]))


def save_failed_rows(
    connection: PgConnection,
    scan: Scan,
    scan_id: int,
    outcomes: Iterable[Outcome],
    personal: PersonalFields,
    limit: int = LIMIT,
) -> int:
    """Keep a sample of the rows that each check found wanting; returns how many rows in all.

    Values of personal fields are masked, and so is all of a row that no scan for personal data has
    seen. Checks that are not about single rows have no sample. Raises psycopg.Error.
    """
    types = table_columns(connection, scan.table)
    kept = 0
    with connection.transaction():
        for outcome in outcomes:
            if not outcome.failed:
                continue
            rows = failing_rows(connection, scan, outcome.check, types)
            if rows is not None:
                kept += connection.execute(
                    _keep(scan_id, outcome.check, rows, types, personal, limit)
                ).rowcount
    return kept


def failing_rows(
    connection: PgConnection, scan: Scan, check: Check, types: Mapping[str, str]
) -> sql.Composable | None:
    """SQL: the rows that fail a check, whole; None where it is not about single rows."""
    given = check.parameters
    if check.rule in _BY_CONDITION:
        condition = row_condition(check, types)
        return _rows_that(scan, condition.tested, condition.failed)
    if isinstance(given, DuplicateParameters):
        return _repeated(scan, check, given)
    if isinstance(given, ReferenceParameters):
        others = table_columns(connection, given.table)
        return _unreferenced(scan, check, given, others.get(given.column), types)
    if isinstance(given, HistoryParameters):
        return _segments(scan, given)
    if isinstance(given, UserParameters) and given.type == "failed_rows":
        return _rows_of_user(scan, given)
    return None


def _keep(
    scan_id: int,
    check: Check,
    rows: sql.Composable,
    types: Mapping[str, str],
    personal: PersonalFields,
    limit: int,
) -> sql.Composed:
    in_navigate = check.rule is Rule.HISTORY
    key = sql.SQL("failing._atlas_natural_key")
    is_clear = not personal.in_key and (personal.is_scanned or not in_navigate)
    return sql.SQL(
        """
        insert into pipeline.quality_failed_row
            (scan_id, check_name, position, raw_id, natural_key, day, shown)
        select
            {scan_id},
            {check_name},
            row_number() over (),
            failing._airbyte_raw_id,
            {key},
            {day},
            {shown}
        from ({rows} limit {limit}) as failing
        """
    ).format(
        scan_id=sql.Literal(scan_id),
        check_name=sql.Literal(check.name),
        key=_shown(key, is_clear, is_scanned=in_navigate),
        day=sql.SQL("null::date" if in_navigate else "failing._atlas_partition"),
        shown=_segment() if in_navigate else _values(check, types, personal),
        rows=rows,
        limit=sql.Literal(limit),
    )


def _values(check: Check, types: Mapping[str, str], personal: PersonalFields) -> sql.Composed:
    """SQL: what a row has in the columns of a check, and what of it did not fit."""
    pairs = [
        sql.SQL("{}::text, {}").format(
            sql.Literal(name), _shown(as_text(name, types), is_clear=personal.is_clear(name))
        )
        for name in dict.fromkeys(check.columns)
        if name in types and name != ERRORS
    ]
    values = sql.SQL("jsonb_build_object({})").format(sql.SQL(", ").join(pairs))
    if check.rule is not Rule.CAST_LOSS:
        return values
    return sql.SQL(
        """{} || coalesce((
                select jsonb_object_agg(misfit.key, {})
                from jsonb_each_text(failing._atlas_errors) as misfit
            ), '{{}}')"""
    ).format(
        values,
        sql.SQL("case when misfit.key = any ({}) then {} else {} end").format(
            sql.Literal(sorted(personal.names)),
            _shown(sql.SQL("misfit.value"), is_clear=False),
            _shown(sql.SQL("misfit.value"), is_clear=True),
        ),
    )


def _segment() -> sql.Composed:
    names = ("_atlas_valid_from", "_atlas_valid_to")
    return sql.SQL("jsonb_build_object({})").format(
        sql.SQL(", ").join(
            sql.SQL("{}, failing.{}::text").format(sql.Literal(name), sql.Identifier(name))
            for name in names
        )
    )


def _shown(value: sql.Composable, is_clear: bool, is_scanned: bool = False) -> sql.Composable:
    """SQL: a text as people may see it; of a row that was not scanned, masked in any case."""
    masked = sql.SQL("pipeline.pii_mask({})").format(value)
    if not is_clear:
        return masked
    cut = sql.SQL("left({}, {})").format(value, sql.Literal(LONGEST))
    if is_scanned:
        return cut
    return sql.SQL("case when failing._atlas_pii_checked then {} else {} end").format(cut, masked)


def _rows_that(scan: Scan, *conditions: sql.Composable | None) -> sql.Composed:
    tests: list[sql.Composable] = [check_sql.rows_of(scan.days)]
    tests += [sql.SQL("({})").format(test) for test in conditions if test is not None]
    return sql.SQL("select * from {} where {}").format(
        identifier(scan.table), sql.SQL(" and ").join(tests)
    )


def _repeated(scan: Scan, check: Check, given: DuplicateParameters) -> sql.Composed:
    """SQL: the rows beyond the first of a key; of versions that are one, those of the others."""
    keys = [sql.Identifier(name) for name in check.columns]
    rank = "dense_rank" if given.repeats_are_one else "row_number"
    order = "_atlas_row_hash" if given.repeats_are_one else "_airbyte_raw_id"
    return sql.SQL(
        """select * from (
            select *, {rank}() over (partition by {group} order by {order}) as nth
            from {chart}
            where {rows}
        ) as numbered
        where nth > 1"""
    ).format(
        rank=sql.SQL(rank),
        group=sql.SQL(", ").join([*keys, *map(sql.Identifier, given.within)]),
        order=sql.Identifier(order),
        chart=identifier(scan.table),
        rows=sql.SQL(" and ").join([check_sql.rows_of(scan.days), *map(not_null, keys)]),
    )


def _unreferenced(
    scan: Scan,
    check: Check,
    given: ReferenceParameters,
    other_type: str | None,
    types: Mapping[str, str],
) -> sql.Composed:
    name = check.columns[0]
    as_text = other_type != types.get(name)
    there = sql.Identifier("referenced", given.column)
    here = sql.Identifier(scan.table.schema, scan.table.name, name)
    missing = sql.SQL("not exists (select from {} as referenced where {} = {})").format(
        identifier(given.table),
        check_sql.comparable(there, as_text),
        check_sql.comparable(here, as_text),
    )
    return _rows_that(scan, not_null(sql.Identifier(name)), missing)


def _segments(scan: Scan, given: HistoryParameters) -> sql.Composed:
    keys = check_sql.keys_of(scan.table, scan.days)
    return sql.SQL(_SEGMENTS[given.rule]).format(navigate=identifier(given.table), keys=keys)


def _rows_of_user(scan: Scan, given: UserParameters) -> sql.Composed | None:
    expression, where = given.body.get("expression"), given.body.get("filter")
    if not isinstance(expression, str):
        return None
    texts = [where, expression] if isinstance(where, str) else [expression]
    return _rows_that(scan, *(written(text) for text in texts))


_SEGMENTS: Mapping[HistoryRule, LiteralString] = {
    HistoryRule.ONE_CURRENT: """select * from (
            select *, row_number() over (
                partition by _atlas_natural_key order by _atlas_valid_from
            ) as nth
            from {navigate}
            where _atlas_is_current and {keys}
        ) as current
        where nth > 1""",
    HistoryRule.NO_OVERLAP: """select * from (
            select *, lead(_atlas_valid_from) over (
                partition by _atlas_natural_key order by _atlas_valid_from
            ) as next_from
            from {navigate}
            where {keys}
        ) as segment
        where next_from < coalesce(_atlas_valid_to, 'infinity')""",
    HistoryRule.FROM_BEFORE_TO: """select * from {navigate}
        where _atlas_valid_to <= _atlas_valid_from and {keys}""",
}
