"""The SQL of chart."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import date

from psycopg import sql

from atlas_dagster.casts import cast_json
from atlas_dagster.catalog import Column, ColumnType, Stream
from atlas_dagster.layers.canonical_sql import readable_text, value_hash
from atlas_dagster.layers.history_rules import HistoryRules
from atlas_dagster.layers.snapshots import complete_snapshots

# PostgreSQL takes at most 100 arguments in a call.
_ARGUMENTS = 100

# An index entry must fit a third of a page.
_LONGEST_KEY_BYTES = 1000

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

_TAKES_ANY = (ColumnType.TEXT, ColumnType.JSONB)


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
        where _atlas_partition between {first} and {last}
        """
    ).format(chart=_chart(stream), first=sql.Literal(days[0]), last=sql.Literal(days[1]))


def insert_rows(stream: Stream, rows: sql.Composable) -> sql.Composed:
    """SQL: add typed rows to chart, by the names of their columns."""
    names = [*(column.layer for column in stream.columns), *BOOKKEEPING]
    return sql.SQL("insert into {} ({}) {}").format(
        _chart(stream), sql.SQL(", ").join(map(sql.Identifier, names)), rows
    )


def typed_rows(
    stream: Stream,
    rules: HistoryRules,
    wanted: sql.Composable,
    run_id: str,
    server_version: int,
) -> sql.Composed:
    """SQL: record versions of explore (those that are ``wanted``) as rows of chart.

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
            false as _atlas_pii_checked,
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
                    from {explore} as explored
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
                _typed(i), sql.SQL(column.type.value), sql.Identifier(column.layer)
            )
            for i, column in enumerate(stream.columns)
        ),
        run_id=sql.Literal(run_id),
        natural_key=_natural_key(stream, rules),
        instant=_instant(stream, rules),
        errors=_errors(stream),
        casts=_each(
            sql.SQL("{} as {}, ").format(cast_json(_raw(i), column.type, server_version), _typed(i))
            for i, column in enumerate(stream.columns)
            if column.type is not ColumnType.TEXT
        ),
        texts=_each(
            sql.SQL("data ->> {} as {}, ").format(sql.Literal(column.name), _typed(i))
            for i, column in enumerate(stream.columns)
            if column.type is ColumnType.TEXT
        ),
        sequence=_sequence(stream, rules, server_version),
        deleted=_deleted(stream, rules),
        row_hash=_content_hash(
            [(i, c) for i, c in enumerate(stream.columns) if rules.compares(c)], salt=""
        ),
        raw_values=_each(
            sql.SQL("nullif(data -> {}, 'null') as {}, ").format(sql.Literal(c.name), _raw(i))
            for i, c in enumerate(stream.columns)
        ),
        nested_values=_each(
            sql.SQL("nullif(data #> {}, 'null') as {}, ").format(
                sql.Literal(list(path)), _nested(i)
            )
            for i, path in enumerate(rules.key)
            if len(path) > 1
        ),
        explore=sql.Identifier("explore", stream.table_name),
        snapshots=complete_snapshots(stream),
        wanted=wanted,
    )


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
            where chart._atlas_partition between {first} and {last}
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
        first=sql.Literal(days[0]),
        last=sql.Literal(days[1]),
    )


def versions_without_row(stream: Stream, days: tuple[date, date]) -> sql.Composed:
    """SQL: the condition on explore that a version is of some days and not in chart yet."""
    first, last = sql.Literal(days[0]), sql.Literal(days[1])
    return sql.SQL(
        """explored._atlas_partition between {first} and {last}
                        and not exists (
                            select from {chart} as present
                            where present._airbyte_raw_id = explored._airbyte_raw_id
                                and present._atlas_partition between {first} and {last}
                        )"""
    ).format(first=first, last=last, chart=_chart(stream))


def versions_of_days(days: tuple[date, date]) -> sql.Composed:
    """SQL: the condition on explore that a version is of some days."""
    return sql.SQL("explored._atlas_partition between {} and {}").format(
        sql.Literal(days[0]), sql.Literal(days[1])
    )


def _natural_key(stream: Stream, rules: HistoryRules) -> sql.Composable:
    """The key as text, NULL where a part of it is; a very long one is cut, its md5 behind it."""
    if not rules.key:
        return _whole_record_key(stream)
    parts = [_key_part(stream, path, position) for position, path in enumerate(rules.key)]
    key: sql.Composable = parts[0]
    if len(parts) > 1:
        key = sql.SQL("case when num_nulls({0}) = 0 then jsonb_build_array({0})::text end").format(
            sql.SQL(", ").join(parts)
        )
    return sql.SQL(
        """case
                    when octet_length({key}) <= {longest} then {key}
                    else left({key}, 200) || '#' || md5({key})
                end"""
    ).format(key=key, longest=sql.Literal(_LONGEST_KEY_BYTES))


def _key_part(stream: Stream, path: Sequence[str], position: int) -> sql.Composable:
    """A part of the key as text: 1 is 1.0, and stays itself where a key turns into text."""
    if len(path) > 1:
        return readable_text(_nested(position))
    index = next(i for i, column in enumerate(stream.columns) if column.name == path[0])
    if stream.columns[index].type is ColumnType.JSONB:
        return readable_text(_raw(index))
    if stream.columns[index].type is ColumnType.NUMERIC:
        return sql.SQL("trim_scale({})::text").format(_typed(index))
    return sql.SQL("{}::text").format(_typed(index))


def _whole_record_key(stream: Stream) -> sql.Composable:
    """128 bits of the whole record, ignored columns included."""
    columns = list(enumerate(stream.columns))
    halves = (_content_hash(columns, salt) for salt in ("left/", "right/"))
    return sql.SQL("lpad(to_hex({}), 16, '0') || lpad(to_hex({}), 16, '0')").format(*halves)


def _content_hash(columns: Sequence[tuple[int, Column]], salt: str) -> sql.Composable:
    """64 bits of content: a hash per column, seeded with its name, in which null counts for 0.

    So neither a column that is added nor the order of columns changes the hash of a record.
    """
    hashes = [
        value_hash(column.type, _raw(i), _typed(i), _seed(salt + column.name))
        for i, column in columns
    ]
    return sql.SQL("({})").format(sql.SQL(" # ").join(hashes or [sql.SQL("0::bigint")]))


def _seed(name: str) -> int:
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _instant(stream: Stream, rules: HistoryRules) -> sql.Composable:
    """When a version says what it says.

    All rows of a complete full refresh speak at its one instant; others at the source's time
    where one is named and given.
    """
    if rules.time is None:
        return sql.SQL("coalesce(snapshot_instant, _airbyte_extracted_at)")
    typed = _typed(stream.columns.index(rules.time))
    if rules.time.type is not ColumnType.TIMESTAMPTZ:
        typed = sql.SQL("{}::timestamp at time zone 'UTC'").format(typed)
    return sql.SQL("coalesce(snapshot_instant, {}, _airbyte_extracted_at)").format(typed)


def _sequence(stream: Stream, rules: HistoryRules, server_version: int) -> sql.Composable:
    if rules.sequence is None:
        return sql.SQL("null::numeric")
    raw = _raw(stream.columns.index(rules.sequence))
    return cast_json(raw, ColumnType.NUMERIC, server_version)


def _deleted(stream: Stream, rules: HistoryRules) -> sql.Composable:
    if rules.deleted is None:
        return sql.SQL("false")
    return sql.SQL("{} is not null").format(_raw(stream.columns.index(rules.deleted)))


def _errors(stream: Stream) -> sql.Composable:
    """The values that did not fit, by column; NULL where all did, which one count tells."""
    checked = [i for i, column in enumerate(stream.columns) if column.type not in _TAKES_ANY]
    if not checked:
        return sql.SQL("null::jsonb")
    misfits = sql.SQL(" || ").join(
        sql.SQL(
            "case when {raw} is not null and {typed} is null"
            " then jsonb_build_object({name}::text, {raw}) else '{{}}' end"
        ).format(raw=_raw(i), typed=_typed(i), name=sql.Literal(stream.columns[i].name))
        for i in checked
    )
    return sql.SQL("case when {} <> {} then {} end").format(
        _count(map(_raw, checked)), _count(map(_typed, checked)), misfits
    )


def _count(values: Iterable[sql.Composable]) -> sql.Composable:
    listed = list(values)
    chunks = (listed[i : i + _ARGUMENTS] for i in range(0, len(listed), _ARGUMENTS))
    return sql.SQL(" + ").join(
        sql.SQL("num_nonnulls({})").format(sql.SQL(", ").join(chunk)) for chunk in chunks
    )


def _raw(index: int) -> sql.Identifier:
    return sql.Identifier(f"r{index}")


def _typed(index: int) -> sql.Identifier:
    return sql.Identifier(f"t{index}")


def _nested(position: int) -> sql.Identifier:
    return sql.Identifier(f"n{position}")


def _each(parts: Iterable[sql.Composable]) -> sql.Composed:
    return sql.SQL("").join(parts)


def _chart(stream: Stream) -> sql.Identifier:
    return sql.Identifier("chart", stream.table_name)
