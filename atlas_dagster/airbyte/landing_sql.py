"""SQL of the landing tables: layout, typing and upsert as Airbyte's destination-postgres 3.x.

Layout and semantics: airbytehq/airbyte, destination-postgres 3.0.x, sql/PostgresColumnUtils.kt,
write/PostgresWriter.kt; load CDK, data/AirbyteValueCoercer.kt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from atlas_dagster.casts import cast_json
from atlas_dagster.catalog import CDC_DELETED_AT, Column, Table
from atlas_dagster.json_schema import ColumnType
from atlas_dagster.warehouse import identifier

META_COLUMNS = {
    "_airbyte_raw_id": "character varying",
    "_airbyte_extracted_at": "timestamp with time zone",
    "_airbyte_meta": "jsonb",
    "_airbyte_generation_id": "bigint",
}


@dataclass(frozen=True)
class Field:
    """A landing column and the JSON kind (``object``, ``array``) it insists on, if any."""

    column: Column
    json_kind: str | None

    @property
    def can_fail(self) -> bool:
        """Whether a value may not fit: text takes everything, so does jsonb of no one kind."""
        if self.column.type is ColumnType.JSONB:
            return self.json_kind is not None
        return self.column.type is not ColumnType.TEXT


@dataclass(frozen=True)
class RowSource:
    """Where staged rows lie and what each of them gets.

    ``raw_id_prefix`` is a UUIDv7 without its last 12 digits, which the sequence supplies.
    """

    stage: sql.Identifier
    fields: Sequence[Field]
    raw_id_prefix: str
    sync_id: int
    generation_id: int
    server_version: int


def create_table(table: Table, columns: Sequence[Column]) -> sql.Composed:
    """The landing table, in Airbyte's order of columns."""
    typed = [sql.SQL(_META_DDL)]
    typed += [
        sql.SQL("{} {}").format(sql.Identifier(c.landing), _type_name(c.type)) for c in columns
    ]
    return sql.SQL("create table {} (\n    {}\n)").format(
        identifier(table), sql.SQL(",\n    ").join(typed)
    )


_META_DDL = """_airbyte_raw_id varchar not null,
    _airbyte_extracted_at timestamp with time zone not null,
    _airbyte_meta jsonb not null,
    _airbyte_generation_id bigint not null"""


def index_names(table: Table) -> dict[str, str]:
    """The names of a landing table's indexes by purpose, cut as PostgreSQL cuts them."""
    return {
        purpose: f"idx_{purpose}_{table.name}".encode()[:63].decode(errors="ignore")
        for purpose in ("extracted_at", "pk", "cursor")
    }


def create_index(table: Table, name: str, columns: Sequence[str]) -> sql.Composed:
    """A plain index; one of that name that stands already, on any table, is left alone."""
    return sql.SQL("create index if not exists {} on {} ({})").format(
        sql.Identifier(name), identifier(table), _columns(columns)
    )


def rename_index(schema: str, old: str, new: str) -> sql.Composed:
    """Rename an index."""
    return sql.SQL("alter index {} rename to {}").format(
        sql.Identifier(schema, old), sql.Identifier(new)
    )


def add_column(table: Table, column: Column) -> sql.Composed:
    """Add a column, NULL in the rows that are there."""
    return sql.SQL("alter table {} add column {} {}").format(
        identifier(table), sql.Identifier(column.landing), _type_name(column.type)
    )


def drop_column(table: Table, name: str) -> sql.Composed:
    """Drop a column that the catalog no longer has."""
    return sql.SQL("alter table {} drop column {}").format(identifier(table), sql.Identifier(name))


def retype_column(table: Table, column: Column, old_type: str) -> sql.Composed:
    """Change a column's type by a cast; text comes out of JSON unquoted."""
    name = sql.Identifier(column.landing)
    if column.type is ColumnType.JSONB:
        cast = sql.SQL("to_jsonb({})").format(name)
    elif old_type == "jsonb":
        cast = sql.SQL("({} #>> '{{}}')::{}").format(name, _type_name(column.type))
    else:
        cast = sql.SQL("{}::text::{}").format(name, _type_name(column.type))
    return sql.SQL("alter table {} alter column {} type {} using {}").format(
        identifier(table), name, _type_name(column.type), cast
    )


def create_stage(stage: sql.Identifier) -> sql.Composed:
    """The staging table of a stream, which its session alone sees and a crash takes along."""
    return sql.SQL(
        """create temporary table {} (
    sequence bigint,
    emitted_at bigint,
    changes jsonb,
    data jsonb
)"""
    ).format(stage)


def copy_stage(stage: sql.Identifier) -> sql.Composed:
    """Fill a staging table."""
    return sql.SQL("copy pg_temp.{} from stdin").format(stage)


def truncate_stage(stage: sql.Identifier) -> sql.Composed:
    """Empty a staging table."""
    return sql.SQL("truncate pg_temp.{}").format(stage)


def greatest_cursor(source: RowSource, cursor: Column, known: str | None) -> sql.Composed:
    """The text of the greatest cursor among the staged rows and one that is known.

    It takes no parameters: a ``%`` in a property's name would pass for one.
    """
    value = sql.SQL("(data -> {})").format(sql.Literal(cursor.name))
    typed = cast_json(value, cursor.type, source.server_version)
    collated = sql.SQL(' collate "C"') if cursor.type is ColumnType.TEXT else sql.SQL("")
    return sql.SQL(
        "select greatest(max(({typed}){collated}), {known}::{type}{collated})::text"
        " from pg_temp.{stage}"
    ).format(
        typed=typed,
        collated=collated,
        known=sql.Literal(known),
        type=_type_name(cursor.type),
        stage=source.stage,
    )


def insert_rows(table: Table, source: RowSource) -> sql.Composed:
    """Type the staged rows and append them."""
    return sql.SQL("insert into {} ({})\n{}").format(
        identifier(table), _columns(_all_columns(source)), _typed_rows(source)
    )


def has_null_keys(source: RowSource, key: Sequence[Column]) -> sql.Composed:
    """Whether a staged row lacks a part of its primary key."""
    missing = [
        sql.SQL("({}) is null").format(_typed_value(Field(c, None), _raw(c), source)) for c in key
    ]
    return sql.SQL("select exists (select from pg_temp.{} where {})").format(
        source.stage, sql.SQL(" or ").join(missing)
    )


def upsert_rows(
    table: Table,
    source: RowSource,
    key: Sequence[Column],
    cursor: Column | None,
    *,
    null_keys: bool,
) -> sql.Composed:
    """Type the staged rows and keep one row a primary key.

    The row with the greatest cursor wins, then the one extracted last, then the one that came
    later in the stream; a winner that carries a CDC deletion removes the row. ``null_keys`` says
    that keys with NULL stand among the staged rows: the join then treats NULLs as equal, which no
    index serves.
    """
    columns = _all_columns(source)
    deleted = any(field.column.landing == CDC_DELETED_AT for field in source.fields)
    return sql.SQL(_UPSERT).format(
        table=identifier(table),
        columns=_columns(columns),
        winner_columns=sql.SQL(", ").join(sql.Identifier("w", name) for name in columns),
        typed_rows=_typed_rows(source),
        key=_columns([c.landing for c in key]),
        cursor_order=sql.SQL("{} desc nulls last, ").format(sql.Identifier(cursor.landing))
        if cursor
        else sql.SQL(""),
        same_key=sql.SQL(" and ").join(_same_key(c.landing, null_keys=null_keys) for c in key),
        newer=_newer(cursor),
        alive=sql.SQL("and w.{} is null").format(sql.Identifier(CDC_DELETED_AT))
        if deleted
        else sql.SQL(""),
    )


_UPSERT = """with typed as materialized (
{typed_rows}
),
winner as materialized (
    select distinct on ({key}) *
    from typed
    order by {key}, {cursor_order}_airbyte_extracted_at desc, _airbyte_raw_id desc
),
beaten as materialized (
    select w._airbyte_raw_id
    from winner w
    join {table} t on {same_key}
    where not ({newer})
),
removed as (
    delete from {table} t
    using winner w
    where {same_key} and {newer}
)
insert into {table} ({columns})
select {winner_columns}
from winner w
where not exists (select from beaten b where b._airbyte_raw_id = w._airbyte_raw_id)
    {alive}"""


def _newer(cursor: Column | None) -> sql.Composable:
    """Whether winner ``w`` replaces row ``t``; at equal cursor and time the later one does."""
    later = sql.SQL("w._airbyte_extracted_at >= t._airbyte_extracted_at")
    if cursor is None:
        return later
    return sql.SQL(
        "case when {w} is null or {t} is null then {t} is null and ({w} is not null or {later})"
        " else {w} > {t} or ({w} = {t} and {later}) end"
    ).format(
        w=sql.Identifier("w", cursor.landing), t=sql.Identifier("t", cursor.landing), later=later
    )


def _same_key(name: str, *, null_keys: bool) -> sql.Composed:
    w, t = sql.Identifier("w", name), sql.Identifier("t", name)
    if null_keys:
        return sql.SQL("({t} = {w} or ({t} is null and {w} is null))").format(t=t, w=w)
    return sql.SQL("{t} = {w}").format(t=t, w=w)


def _typed_rows(source: RowSource) -> sql.Composed:
    """The staged rows in the columns of the landing table, each value read once.

    ``offset 0`` keeps the planner from merging the levels and so from casting twice.
    """
    fields = list(enumerate(source.fields))
    raw = [sql.SQL("{} as {}").format(_raw(f.column), _raw_name(i)) for i, f in fields]
    typed = [
        sql.SQL("{} as {}").format(
            _typed_value(f, _raw_name(i), source), sql.Identifier(f.column.landing)
        )
        for i, f in fields
    ]
    fallible_raw = [_raw_name(i) for i, f in fields if f.can_fail]
    return sql.SQL(_TYPED_ROWS).format(
        prefix=sql.Literal(source.raw_id_prefix),
        meta=_meta(source),
        generation=sql.Literal(source.generation_id),
        columns=_comma_before([sql.Identifier(f.column.landing) for _, f in fields]),
        typed=_comma_before([*typed, *fallible_raw]),
        raw=_comma_before(raw),
        stage=source.stage,
    )


_TYPED_ROWS = """select
    {prefix} || lpad(to_hex(sequence), 12, '0') as _airbyte_raw_id,
    to_timestamp(emitted_at / 1000.0) as _airbyte_extracted_at,
    {meta} as _airbyte_meta,
    {generation}::bigint as _airbyte_generation_id{columns}
from (
    select sequence, emitted_at, changes{typed}
    from (
        select sequence, emitted_at, changes{raw}
        from pg_temp.{stage}
        offset 0
    ) as raw
    offset 0
) as typed"""


def _meta(source: RowSource) -> sql.Composable:
    """``_airbyte_meta``: the sync, the source's own changes, and the values that did not fit."""
    fallible = [(i, f) for i, f in enumerate(source.fields) if f.can_fail]
    sync_id = sql.Literal(source.sync_id)
    given = sql.SQL(
        "jsonb_build_object('sync_id', {}::bigint, 'changes', coalesce(changes, '[]'))"
    ).format(sync_id)
    unchanged = sql.SQL("case when changes is null then {} else {} end").format(
        sql.Literal(f'{{"sync_id": {source.sync_id}, "changes": []}}') + sql.SQL("::jsonb"), given
    )
    if not fallible:
        return unchanged
    lost = [_is_lost(i, f) for i, f in fallible]
    notes = sql.SQL(", ").join(
        sql.SQL("({}, {}, {})").format(sql.Literal(f.column.name), is_lost, _reason(i, f))
        for (i, f), is_lost in zip(fallible, lost, strict=True)
    )
    return sql.SQL(
        """case when {any_lost} then jsonb_build_object(
        'sync_id', {sync_id}::bigint,
        'changes', coalesce(changes, '[]') || (
            select jsonb_agg(jsonb_build_object(
                'field', field, 'change', 'NULLED', 'reason', reason
            ))
            from (values {notes}) as note (field, is_lost, reason)
            where is_lost
        )
    ) else {unchanged} end"""
    ).format(any_lost=sql.SQL(" or ").join(lost), sync_id=sync_id, notes=notes, unchanged=unchanged)


def _is_lost(position: int, field: Field) -> sql.Composable:
    return sql.SQL("({} is null and {} <> 'null')").format(
        sql.Identifier(field.column.landing), _raw_name(position)
    )


def _reason(position: int, field: Field) -> sql.Composable:
    """Airbyte tells an integer out of range from a value of the wrong kind."""
    if field.column.type is not ColumnType.BIGINT:
        return sql.SQL("'DESTINATION_SERIALIZATION_ERROR'")
    return sql.SQL(
        "case when {raw} #>> '{{}}' ~ '^-?[0-9]{{19,}}$' then 'DESTINATION_FIELD_SIZE_LIMITATION'"
        " else 'DESTINATION_SERIALIZATION_ERROR' end"
    ).format(raw=_raw_name(position))


def _typed_value(field: Field, raw: sql.Composable, source: RowSource) -> sql.Composable:
    if field.column.type is not ColumnType.JSONB:
        return cast_json(raw, field.column.type, source.server_version)
    if field.json_kind is None:
        return sql.SQL("nullif({}, 'null'::jsonb)").format(raw)
    return sql.SQL("case when jsonb_typeof({raw}) = {kind} then {raw} end").format(
        raw=raw, kind=sql.Literal(field.json_kind)
    )


def _raw(column: Column) -> sql.Composable:
    return sql.SQL("(data -> {})").format(sql.Literal(column.name))


def _raw_name(position: int) -> sql.Identifier:
    return sql.Identifier(f"_atlas_raw_{position}")


def _all_columns(source: RowSource) -> list[str]:
    return [*META_COLUMNS, *(field.column.landing for field in source.fields)]


def _columns(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _comma_before(parts: Sequence[sql.Composable]) -> sql.Composed:
    return sql.Composed([sql.SQL(",\n        ") + part for part in parts])


def _type_name(kind: ColumnType) -> sql.SQL:
    return sql.SQL(kind.value)
