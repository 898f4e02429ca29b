"""The SQL of chart."""

from __future__ import annotations

from collections.abc import Container, Iterable
from datetime import date

from psycopg import sql

from atlas_dagster.casts import cast_json
from atlas_dagster.catalog import ColumnType, Stream
from atlas_dagster.days import of_days
from atlas_dagster.layers import version_sql
from atlas_dagster.layers.history_rules import HistoryRules
from atlas_dagster.layers.policy import StreamPolicy
from atlas_dagster.layers.policy_sql import policed_data
from atlas_dagster.layers.snapshots import complete_snapshots

BOOKKEEPING = (
    "_airbyte_raw_id",
    "_airbyte_extracted_at",
    "_atlas_sync_id",
    "_atlas_natural_key",
    "_atlas_instant",
    "_atlas_sequence",
    "_atlas_deleted",
    "_atlas_valid",
    "_atlas_errors",
    "_atlas_row_hash",
    "_atlas_pii_checked",
    "_atlas_quality_score",
    "_atlas_validated_at",
    "_atlas_partition",
    "_atlas_run_id",
)


def create_table_from(stream: Stream, rows: sql.Composable) -> sql.Composed:
    """SQL: the chart table, made of rows."""
    return sql.SQL("create table {} as {}").format(_chart(stream), rows)


def constrain_table(stream: Stream) -> sql.Composed:
    """SQL: one row per record version, and what every row has."""
    return sql.SQL(
        """
        alter table {}
            add primary key (_airbyte_raw_id),
            alter _airbyte_extracted_at set not null,
            alter _atlas_instant set not null,
            alter _atlas_deleted set not null,
            alter _atlas_valid set not null,
            alter _atlas_row_hash set not null,
            alter _atlas_pii_checked set not null,
            alter _atlas_partition set not null,
            alter _atlas_run_id set not null
        """
    ).format(_chart(stream))


def create_version_index(stream: Stream) -> sql.Composed:
    """SQL: the versions of a key in the order of time; what navigate reads."""
    return sql.SQL("create index on {} (_atlas_natural_key, _atlas_instant)").format(_chart(stream))


def create_day_index(stream: Stream) -> sql.Composed:
    """SQL: a partition is read by its day."""
    return sql.SQL("create index on {} (_atlas_partition)").format(_chart(stream))


def summarize(stream: Stream, days: tuple[date, date]) -> sql.Composed:
    """SQL: rows and invalid rows of a range of days."""
    return sql.SQL(
        """
        select count(*), count(*) filter (where not _atlas_valid)
        from {chart}
        where {of_days}
        """
    ).format(chart=_chart(stream), of_days=of_days(sql.SQL("_atlas_partition"), days))


def insert_rows(stream: Stream, rows: sql.Composable) -> sql.Composed:
    """SQL: add typed rows to chart, by the names of their columns."""
    names = [*(column.layer for column in stream.columns), *BOOKKEEPING]
    return sql.SQL("insert into {} ({}) {}").format(
        _chart(stream), sql.SQL(", ").join(map(sql.Identifier, names)), rows
    )


def typed_rows(
    stream: Stream,
    rules: HistoryRules,
    versions: sql.Composable,
    wanted: sql.Composable,
    run_id: str,
    server_version: int,
) -> sql.Composed:
    """SQL: record versions (those that are ``wanted``) as rows of chart.

    Three steps, kept apart by ``offset 0`` so that each value is computed once: the raw json
    values, the typed ones, and what follows from comparing the two.
    """
    return sql.SQL(
        """
        select
            {typed_columns}
            _airbyte_raw_id,
            _airbyte_extracted_at,
            _atlas_sync_id,
            natural_key collate "C" as _atlas_natural_key,
            instant as _atlas_instant,
            sequence as _atlas_sequence,
            deleted as _atlas_deleted,
            natural_key is not null and errors is null as _atlas_valid,
            errors as _atlas_errors,
            row_hash as _atlas_row_hash,
            _atlas_partition in (
                select day from pipeline.pii_scan where table_name = {table_name}
            ) as _atlas_pii_checked,
            null::real as _atlas_quality_score,
            null::timestamptz as _atlas_validated_at,
            _atlas_partition,
            {run_id}::text as _atlas_run_id
        from (
            select
                typed.*,
                {natural_key} as natural_key,
                {row_hash} as row_hash,
                {instant} as instant,
                {errors} as errors
            from (
                select
                    raw.*,
                    {casts}
                    {sequence} as sequence,
                    {deleted} as deleted
                from (
                    select
                        _airbyte_raw_id,
                        _airbyte_extracted_at,
                        _atlas_sync_id,
                        snapshot.instant as snapshot_instant,
                        {raw_values}
                        {texts}
                        {nested_values}
                        _atlas_partition
                    from {versions} as explored
                    left join ({snapshots}) as snapshot
                        on snapshot.job_id = explored._atlas_sync_id
                    where {wanted}
                    offset 0
                ) as raw
                offset 0
            ) as typed
            offset 0
        ) as charted
        """
    ).format(
        typed_columns=_each(
            sql.SQL("{}::{} as {}, ").format(
                version_sql.typed_value(i), sql.SQL(column.type.value), sql.Identifier(column.layer)
            )
            for i, column in enumerate(stream.columns)
        ),
        table_name=sql.Literal(stream.table_name),
        run_id=sql.Literal(run_id),
        natural_key=version_sql.natural_key(stream, rules, server_version),
        instant=version_sql.version_instant(stream, rules, server_version),
        errors=version_sql.errors(stream),
        casts=_each(
            sql.SQL("{} as {}, ").format(
                cast_json(version_sql.raw_value(i), column.type, server_version),
                version_sql.typed_value(i),
            )
            for i, column in enumerate(stream.columns)
            if column.type is not ColumnType.TEXT
        ),
        texts=_each(
            sql.SQL("data ->> {} as {}, ").format(
                sql.Literal(column.name), version_sql.typed_value(i)
            )
            for i, column in enumerate(stream.columns)
            if column.type is ColumnType.TEXT
        ),
        sequence=version_sql.sequence(stream, rules, server_version),
        deleted=version_sql.deleted(stream, rules),
        row_hash=version_sql.row_hash(stream, rules, server_version),
        raw_values=_each(
            sql.SQL("nullif(data -> {}, 'null') as {}, ").format(
                sql.Literal(c.name), version_sql.raw_value(i)
            )
            for i, c in enumerate(stream.columns)
        ),
        nested_values=_each(
            sql.SQL("nullif(data #> {}, 'null') as {}, ").format(
                sql.Literal(list(path)), version_sql.nested_value(i)
            )
            for i, path in enumerate(rules.key)
            if len(path) > 1
        ),
        versions=versions,
        snapshots=complete_snapshots(stream),
        wanted=wanted,
    )


def explored(
    stream: Stream, policy: StreamPolicy, table: sql.Composable | None = None
) -> sql.Composable:
    """SQL: the record versions of explore, or of a table like it, as a policy leaves them."""
    table = table or _explore(stream)
    if not policy.fields:
        return table
    return sql.SQL(
        """(
                        select
                            explored._airbyte_raw_id,
                            explored._airbyte_extracted_at,
                            explored._atlas_sync_id,
                            explored._atlas_partition,
                            policed.data
                        from {explore} as explored
                        cross join lateral (select {policed} as data offset 0) as policed
                    )"""
    ).format(explore=table, policed=policed_data(sql.SQL("explored.data"), policy))


def keep_forgotten_versions(
    stream: Stream, present: Container[str], policy: StreamPolicy
) -> sql.Composed:
    """SQL: remember of chart's rows those whose record version explore has dropped since.

    Their data is what chart made of it: the columns that are ``present``, and what did not fit,
    as a policy leaves that.
    """
    return sql.SQL(
        """
        create temporary table forgotten_version on commit drop as
        select
            chart._airbyte_raw_id,
            chart._airbyte_extracted_at,
            chart._atlas_sync_id,
            chart._atlas_partition,
            {policed} as data
        from {chart} as chart
        cross join lateral (select {data} as data offset 0) as charted
        where not exists (
            select from {explore} as explored
            where explored._airbyte_raw_id = chart._airbyte_raw_id
        )
        """
    ).format(
        data=charted_data(stream, present),
        policed=policed_data(sql.SQL("charted.data"), policy),
        chart=_chart(stream),
        explore=_explore(stream),
    )


def charted_data(stream: Stream, present: Container[str]) -> sql.Composable:
    """SQL: what chart has of a record version: the columns that are ``present``, and misfits."""
    columns = [column for column in stream.columns if column.layer in present]
    return sql.SQL(" || ").join(
        [
            *(
                sql.SQL("jsonb_build_object({}::text, chart.{})").format(
                    sql.Literal(column.name), sql.Identifier(column.layer)
                )
                for column in columns
            ),
            sql.SQL("coalesce(chart._atlas_errors, '{}')"),
        ]
    )


def delete_versions(stream: Stream, raw_ids: sql.Composable) -> sql.Composed:
    """SQL: delete the rows of some record versions."""
    return sql.SQL("delete from {} where _airbyte_raw_id in {}").format(_chart(stream), raw_ids)


def explored_and_forgotten(stream: Stream, policy: StreamPolicy) -> sql.Composed:
    """SQL: the record versions of explore, as a policy leaves them, and those it has dropped."""
    columns = sql.SQL(
        "_airbyte_raw_id, _airbyte_extracted_at, _atlas_sync_id, _atlas_partition, data"
    )
    return sql.SQL(
        "(select {columns} from {explored} as explored"
        " union all select {columns} from forgotten_version)"
    ).format(columns=columns, explored=explored(stream, policy))


def move_to_snapshots(stream: Stream, days: tuple[date, date]) -> sql.Composed:
    """SQL: give the rows of some days the instant of their sync, complete since they were typed.

    Their keys are dirty from then on: navigate may know them by the instant that they had.
    """
    return sql.SQL(
        """
        with moved as (
            update {chart} as chart
            set _atlas_instant = snapshot.instant
            from ({snapshots}) as snapshot
            where {of_days}
                and chart._atlas_sync_id = snapshot.job_id
                and chart._atlas_instant <> snapshot.instant
            returning chart._atlas_natural_key as natural_key, chart._atlas_instant as since
        )
        insert into pipeline.dirty_key as dirty (table_name, natural_key, since)
        select {table_name}, natural_key, min(since)
        from moved
        where natural_key is not null
        group by natural_key
        on conflict (table_name, natural_key) do update
        set since = least(dirty.since, excluded.since)
        """
    ).format(
        chart=_chart(stream),
        snapshots=complete_snapshots(stream),
        table_name=sql.Literal(stream.table_name),
        of_days=of_days(sql.SQL("chart._atlas_partition"), days),
    )


def versions_without_row(stream: Stream, days: tuple[date, date]) -> sql.Composed:
    """SQL: the condition on explore that a version is of some days and not in chart yet."""
    return sql.SQL(
        """{of_days}
                        and not exists (
                            select from {chart} as present
                            where present._airbyte_raw_id = explored._airbyte_raw_id
                                and {present_of_days}
                        )"""
    ).format(
        of_days=versions_of_days(days),
        chart=_chart(stream),
        present_of_days=of_days(sql.SQL("present._atlas_partition"), days),
    )


def versions_of_days(days: tuple[date, date]) -> sql.Composed:
    """SQL: the condition on explore that a version is of some days."""
    return of_days(sql.SQL("explored._atlas_partition"), days)


def _each(parts: Iterable[sql.Composable]) -> sql.Composed:
    return sql.SQL("").join(parts)


def _explore(stream: Stream) -> sql.Identifier:
    return sql.Identifier("explore", stream.table_name)


def _chart(stream: Stream) -> sql.Identifier:
    return sql.Identifier("chart", stream.table_name)
