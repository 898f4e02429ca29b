"""The queries of checks that count what no condition on a single row can tell."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from psycopg import sql
from typing_extensions import LiteralString

from atlas_dagster.catalog import Table
from atlas_dagster.quality.row_sql import not_null
from atlas_dagster.quality.spec import (
    Check,
    DuplicateParameters,
    FreshnessParameters,
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
    """SQL: whether a row is of one of some days; ``date.min`` and ``date.max`` leave them open."""
    first, last = days
    return sql.SQL("_atlas_partition between {} and {}").format(
        sql.SQL("'-infinity'") if first == date.min else sql.Literal(first),
        sql.SQL("'infinity'") if last == date.max else sql.Literal(last),
    )


def newest_day(chart: Table) -> sql.Composed:
    """SQL: the newest day of chart that Python can hold; NULL where there is none."""
    return sql.SQL(
        "select max(_atlas_partition) from {} where _atlas_partition between {} and {}"
    ).format(identifier(chart), sql.Literal(date.min), sql.Literal(date.max))


def age(name: str, wanted: FreshnessParameters, chart: Table) -> sql.Composed:
    """SQL: seconds since the newest instant of a column, an aggregate; or since the last sync."""
    of_rows = sql.SQL("extract(epoch from now() - max({})::timestamptz)::float8").format(
        sql.Identifier(name)
    )
    if not wanted.or_of_sync:
        return of_rows
    return sql.SQL("least({}, ({}))").format(of_rows, _age_of_sync(chart))


def age_on(name: str, wanted: FreshnessParameters, chart: Table, day: date) -> sql.Composed:
    """SQL: the same of the rows of a day."""
    return sql.SQL("select {} from {} where _atlas_partition = {}").format(
        age(name, wanted, chart), identifier(chart), sql.Literal(day)
    )


def _age_of_sync(chart: Table) -> sql.Composed:
    return sql.SQL(
        """
        select extract(epoch from now() - max(sync.ended_at))::float8
        from pipeline.stream as stream
        join pipeline.sync_stream as synced using (connection_id, namespace, name)
        join pipeline.sync as sync using (connection_id, job_id)
        where stream.table_name = {} and synced.status = 'complete'
        """
    ).format(sql.Literal(chart.name))


def rows_of_all_days(chart: Table) -> sql.Composed:
    """SQL: how many rows chart or explore has: as Atlas has kept count of them, else counted.

    Explore may have rows of days that chart has not been built of yet.
    """
    return sql.SQL(
        """
        select coalesce(
            (
                select max(rows) from pipeline.layer_table
                where layer in ('explore', {layer}) and table_name = {name}
            ),
            (select count(*) from {chart})
        )::float8
        """
    ).format(layer=sql.Literal(chart.schema), name=sql.Literal(chart.name), chart=identifier(chart))


def was_synced(chart: Table, days: Days) -> sql.Composed:
    """SQL: whether chart has rows of some days, or a sync of these days ended that had none."""
    return sql.SQL(
        """
        select exists (select from {chart} where {rows}) or exists (
            select
            from pipeline.stream as stream
            join pipeline.sync_stream as synced using (connection_id, namespace, name)
            join pipeline.sync as sync using (connection_id, job_id)
            where stream.table_name = {table_name}
                and synced.status = 'complete'
                and ({touches} or touched_days = '{{}}' and {ended})
        )
        """
    ).format(
        chart=identifier(chart),
        rows=rows_of(days),
        table_name=sql.Literal(chart.name),
        touches=_touches(days),
        ended=sql.SQL("(sync.ended_at at time zone 'UTC')::date between {} and {}").format(
            *map(sql.Literal, days)
        ),
    )


def duplicates(
    check: Check, wanted: DuplicateParameters, chart: Table, days: Days | None
) -> sql.Composed:
    """SQL: rows that have a key, and rows beyond the first of one."""
    keys = [sql.Identifier(name) for name in check.columns]
    n = "count(distinct _atlas_row_hash)" if wanted.repeats_are_one else "count(*)"
    return sql.SQL(
        """
        select coalesce(sum(n), 0)::bigint, coalesce(sum(n - 1), 0)::bigint
        from (select {n} as n from {chart} where {rows} group by {group}) as key
        """
    ).format(
        n=sql.SQL(n),
        chart=identifier(chart),
        rows=sql.SQL(" and ").join([rows_of(days), *(not_null(key) for key in keys)]),
        group=sql.SQL(", ").join([*keys, *map(sql.Identifier, wanted.within)]),
    )


def unreferenced(
    check: Check, wanted: ReferenceParameters, chart: Table, days: Days | None, as_text: bool
) -> sql.Composed:
    """SQL: rows that refer to another table, and those whose reference is not there."""
    value, referenced = sql.Identifier(check.columns[0]), sql.Identifier(wanted.column)
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
        referenced=comparable(sql.SQL("referenced.{}").format(referenced), as_text),
        referring=comparable(sql.SQL("referring.value"), as_text),
    )


def lost_records(wanted: RecordCountParameters, days: Days | None) -> sql.Composed:
    """SQL: records that the newest sync of some days committed, and those that explore has not.

    No row where there is no such sync, or retention may have dropped something of it.
    """
    lost = (
        sql.SQL("greatest(synced.records_committed - found.rows, 0)")
        if wanted.is_exact
        else sql.SQL("case when found.rows = 0 then synced.records_committed else 0 end")
    )
    return sql.SQL(
        """
        select synced.records_committed, {lost}
        from (
            select job_id, records_committed, touched_days
            from pipeline.sync_stream
            where connection_id = {connection_id}
                and namespace = {namespace}
                and name = {name}
                and status = 'complete'
                and {of_days}
            order by job_id desc
            limit 1
        ) as synced
        cross join lateral (
            select count(*) as rows
            from {explore}
            where _atlas_sync_id = synced.job_id
                and _atlas_partition = any (synced.touched_days)
        ) as found
        where not exists (
            select from pipeline.layer_table as explore
            where explore.layer = 'explore'
                and explore.table_name = {table_name}
                and explore.dropped_before > any (synced.touched_days)
        )
        """
    ).format(
        lost=lost,
        connection_id=sql.Literal(wanted.connection_id),
        namespace=sql.Literal(wanted.namespace),
        name=sql.Literal(wanted.name),
        of_days=_touches(days),
        explore=identifier(wanted.explore),
        table_name=sql.Literal(wanted.explore.name),
    )


def _touches(days: Days | None) -> sql.Composable:
    if days is None:
        return sql.SQL("true")
    return sql.SQL(
        "exists (select from unnest(touched_days) as day where day between {} and {})"
    ).format(*map(sql.Literal, days))


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


def comparable(value: sql.Composable, as_text: bool) -> sql.Composable:
    """SQL: a value as it is compared with one of another type, or of its own."""
    return sql.SQL("{}::text").format(value) if as_text else value
