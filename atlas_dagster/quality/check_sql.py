"""The queries of checks that count what no condition on a single row can tell."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from psycopg import sql
from typing_extensions import LiteralString

from atlas_dagster.catalog import Table
from atlas_dagster.quality.row_sql import column, not_null
from atlas_dagster.quality.spec import (
    Check,
    DuplicateParameters,
    HistoryParameters,
    HistoryRule,
    RecordCountParameters,
    ReferenceParameters,
)
from atlas_dagster.warehouse import identifier

Days = tuple[date, date]


def rows_of(days: Days | None) -> sql.Composed:
    """SQL: the rows of chart that are scanned: of some days, or all; none that are deleted."""
    tests: list[sql.Composable] = [sql.SQL("not _atlas_deleted")]
    if days:
        tests.append(in_days(days))
    return sql.SQL(" and ").join(tests)


def in_days(days: Days) -> sql.Composed:
    """SQL: whether a row is of one of some days."""
    return sql.SQL("_atlas_partition between {} and {}").format(*map(sql.Literal, days))


def newest_day(chart: Table) -> sql.Composed:
    """SQL: the newest day that chart has rows of and Python can hold; NULL of an empty table."""
    return sql.SQL("select max(_atlas_partition) from {} where _atlas_partition <= {}").format(
        identifier(chart), sql.Literal(date.max)
    )


def age(name: str) -> sql.Composed:
    """SQL: seconds since the newest instant of a column, an aggregate."""
    return sql.SQL("extract(epoch from now() - max({})::timestamptz)::float8").format(column(name))


def age_on(chart: Table, name: str, day: date) -> sql.Composed:
    """SQL: seconds since the newest instant of a column among the rows of a day."""
    return sql.SQL("select {} from {} where _atlas_partition = {}").format(
        age(name), identifier(chart), sql.Literal(day)
    )


def duplicates(
    check: Check, wanted: DuplicateParameters, chart: Table, days: Days | None
) -> sql.Composed:
    """SQL: rows that have a key, and rows beyond the first of one."""
    keys = [column(name) for name in check.columns]
    group = sql.SQL(", ").join([*keys, *map(column, wanted.within)])
    rows = sql.SQL("{}").format(identifier(chart))
    where = sql.SQL(" and ").join([rows_of(days), *(not_null(key) for key in keys)])
    if wanted.repeats_are_one:
        rows = sql.SQL("(select distinct {}, _atlas_row_hash from {} where {}) as versions").format(
            group, rows, where
        )
        where = sql.SQL("true")
    return sql.SQL(
        """
        select coalesce(sum(n), 0)::bigint, coalesce(sum(n - 1), 0)::bigint
        from (select count(*) as n from {rows} where {where} group by {group}) as key
        """
    ).format(rows=rows, where=where, group=group)


def unreferenced(
    check: Check, wanted: ReferenceParameters, chart: Table, days: Days | None, as_text: bool
) -> sql.Composed:
    """SQL: rows that refer to another table, and those whose reference is not there."""
    value, referenced = column(check.columns[0]), column(wanted.column)
    return sql.SQL(
        """
        with referring as materialized (
            select {value} as value, count(*) as rows
            from {chart}
            where {rows} and {value} is not null
            group by 1
        )
        select
            (select coalesce(sum(rows), 0)::bigint from referring),
            (
                select coalesce(sum(rows), 0)::bigint
                from referring
                where not exists (
                    select from {table} as referenced where {referenced} = {referring}
                )
            )
        """
    ).format(
        value=value,
        chart=identifier(chart),
        rows=rows_of(days),
        table=identifier(wanted.table),
        referenced=_comparable(sql.SQL("referenced.{}").format(referenced), as_text),
        referring=_comparable(sql.SQL("referring.value"), as_text),
    )


def lost_records(wanted: RecordCountParameters, days: Days | None) -> sql.Composed:
    """SQL: records that Airbyte committed by the syncs of some days, and those not in explore.

    Syncs of which retention may have dropped something are left out.
    """
    lost = (
        sql.SQL("sum(greatest(synced.records_committed - coalesce(found.rows, 0), 0))")
        if wanted.is_exact
        else sql.SQL("sum(synced.records_committed) filter (where found.rows is null)")
    )
    of_days = (
        sql.SQL(
            "and exists (select from unnest(touched_days) as day where day between {} and {})"
        ).format(*map(sql.Literal, days))
        if days
        else sql.SQL("")
    )
    return sql.SQL(
        """
        with synced as materialized (
            select job_id, records_committed, touched_days
            from pipeline.sync_stream
            where connection_id = {connection_id}
                and namespace = {namespace}
                and name = {name}
                and status = 'complete'
                and not exists (
                    select from pipeline.layer_table as explore
                    where explore.layer = 'explore'
                        and explore.table_name = {table_name}
                        and explore.dropped_before > any (touched_days)
                )
                {of_days}
        ),
        found as (
            select _atlas_sync_id as job_id, count(*) as rows
            from {explore}
            where _atlas_sync_id = any (array(select job_id from synced))
                and _atlas_partition = any (
                    array(select unnest(touched_days) from synced)
                )
            group by 1
        )
        select
            coalesce(sum(synced.records_committed), 0)::bigint,
            coalesce({lost}, 0)::bigint
        from synced
        left join found using (job_id)
        """
    ).format(
        connection_id=sql.Literal(wanted.connection_id),
        namespace=sql.Literal(wanted.namespace),
        name=sql.Literal(wanted.name),
        table_name=sql.Literal(wanted.explore.name),
        explore=identifier(wanted.explore),
        of_days=of_days,
        lost=lost,
    )


def broken_history(wanted: HistoryParameters, chart: Table, days: Days | None) -> sql.Composed:
    """SQL: segments of navigate, of the keys that chart has on some days, and those that break."""
    return sql.SQL(_HISTORY[wanted.rule]).format(
        navigate=identifier(wanted.table), keys=keys_of(chart, days)
    )


def keys_of(chart: Table, days: Days | None) -> sql.Composable:
    """SQL: whether a segment is of a key that chart has on some days."""
    if days is None:
        return sql.SQL("true")
    return sql.SQL("_atlas_natural_key in (select _atlas_natural_key from {} where {})").format(
        identifier(chart), in_days(days)
    )


_HISTORY: Mapping[HistoryRule, LiteralString] = {
    HistoryRule.ONE_CURRENT: """
        select coalesce(sum(n), 0)::bigint, coalesce(sum(n - 1), 0)::bigint
        from (
            select count(*) as n
            from {navigate}
            where _atlas_is_current and {keys}
            group by _atlas_natural_key
        ) as key
        """,
    HistoryRule.NO_OVERLAP: """
        select count(*), count(*) filter (where next_from < coalesce(valid_to, 'infinity'))
        from (
            select
                _atlas_valid_to as valid_to,
                lead(_atlas_valid_from) over (
                    partition by _atlas_natural_key order by _atlas_valid_from
                ) as next_from
            from {navigate}
            where {keys}
        ) as segment
        """,
    HistoryRule.FROM_BEFORE_TO: """
        select count(*), count(*) filter (where _atlas_valid_to <= _atlas_valid_from)
        from {navigate}
        where {keys}
        """,
}


def _comparable(value: sql.Composable, as_text: bool) -> sql.Composable:
    return sql.SQL("{}::text").format(value) if as_text else value
