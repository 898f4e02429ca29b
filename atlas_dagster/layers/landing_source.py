"""Where a stream's rows lie in the shape that Airbyte's destination left them in.

destination-postgres 3.x writes a typed table, or with ``disable_type_dedupe`` a raw one and no
typed one; 2.x writes both; 1.x a raw one of another layout. Raw tables that an upgrade left behind
are stale: where a typed table exists it is read, unless the destination says "raw only".
Layouts: airbytehq/airbyte, destination-postgres, sql/PostgresColumnUtils.kt (3.x) and
PostgresSqlOperations.kt (2.x); java CDK, JdbcSqlOperations.kt (1.x).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg import sql
from typing_extensions import LiteralString

from atlas_dagster.catalog import Stream, Table
from atlas_dagster.errors import WarehouseError
from atlas_dagster.names import POSTGRES_NAME_BYTES
from atlas_dagster.warehouse import PgConnection, identifier, table_columns

_TYPED = {"_airbyte_raw_id", "_airbyte_extracted_at"}
_RAW = {"_airbyte_raw_id", "_airbyte_extracted_at", "_airbyte_data"}
_RAW_V1 = {"_airbyte_ab_id", "_airbyte_emitted_at", "_airbyte_data"}


# Raw tables of 1.x and 2.x allow no data at all.
_RAW_DATA = sql.SQL("coalesce(landed._airbyte_data::jsonb, '{}')")


@dataclass(frozen=True)
class LandingSource:
    """A landing table and how to read it; all expressions are over the alias ``landed``.

    ``fields`` maps landing columns to property names; it is empty where ``data`` is given whole.
    """

    table: Table
    raw_id: sql.Composable
    extracted_at: sql.Composable
    meta: sql.Composable
    generation_id: sql.Composable
    data: sql.Composable | None
    fields: Mapping[str, str]


def find_landing(connection: PgConnection, stream: Stream) -> LandingSource:
    """Choose the table to read by the destination's configuration and a look at the columns.

    Raises WarehouseError where there is none, or where it lacks Airbyte's columns.
    """
    typed = table_columns(connection, stream.landing)
    if not stream.raw_only and typed.keys() >= _TYPED:
        return _typed_source(stream, typed)
    raw = table_columns(connection, stream.raw_landing)
    if raw.keys() >= _RAW:
        return _raw_source(stream.raw_landing, raw)
    legacy = table_columns(connection, stream.raw_landing_v1)
    if not stream.raw_only and legacy.keys() >= _RAW_V1:
        return _raw_source_v1(stream.raw_landing_v1)
    if typed and not stream.raw_only:
        missing = min(_TYPED - typed.keys())
        raise WarehouseError(f"{stream.label}: {stream.landing} has no column {missing}")
    raise WarehouseError(
        f"{stream.label}: no table {stream.landing_table}; sync the connection first"
    )


def _typed_source(stream: Stream, columns: Mapping[str, str]) -> LandingSource:
    names = {column.landing: column.name for column in stream.columns}
    return LandingSource(
        table=stream.landing,
        raw_id=sql.SQL("landed._airbyte_raw_id"),
        extracted_at=sql.SQL("landed._airbyte_extracted_at"),
        meta=_meta(columns),
        generation_id=_generation_id(columns),
        data=None,
        fields={
            column: names.get(column, column)
            for column in columns
            if not column.startswith("_airbyte_") or column in names
        },
    )


def _raw_source(table: Table, columns: Mapping[str, str]) -> LandingSource:
    return LandingSource(
        table=table,
        raw_id=sql.SQL("landed._airbyte_raw_id"),
        extracted_at=_unless_null("landed._airbyte_extracted_at"),
        meta=_meta(columns),
        generation_id=_generation_id(columns),
        data=_RAW_DATA,
        fields={},
    )


def _raw_source_v1(table: Table) -> LandingSource:
    return LandingSource(
        table=table,
        raw_id=sql.SQL("landed._airbyte_ab_id"),
        extracted_at=_unless_null("landed._airbyte_emitted_at"),
        meta=sql.SQL("'{}'::jsonb"),
        generation_id=sql.SQL("null::bigint"),
        data=_RAW_DATA,
        fields={},
    )


def _unless_null(extracted_at: LiteralString) -> sql.Composable:
    """Raw tables of 1.x and 2.x allow no time at all: the row counts as of 1970."""
    return sql.SQL("coalesce({}, 'epoch'::timestamptz)").format(sql.SQL(extracted_at))


def _meta(columns: Mapping[str, str]) -> sql.Composable:
    """Rows of before 2.0.5 have no meta."""
    if "_airbyte_meta" not in columns:
        return sql.SQL("'{}'::jsonb")
    return sql.SQL("coalesce(landed._airbyte_meta::jsonb, '{}')")


def _generation_id(columns: Mapping[str, str]) -> sql.Composable:
    """Rows of before 2.3.0 have no generation."""
    if "_airbyte_generation_id" not in columns:
        return sql.SQL("null::bigint")
    return sql.SQL("landed._airbyte_generation_id")


def landed_rows(
    source: LandingSource, run_id: str, since: int | None, chosen: sql.Composable | None = None
) -> sql.Composed:
    """SQL: landed rows as explore rows; only those of transactions younger than ``since``.

    And only those that are ``chosen``, by a condition on the alias ``landed``.

    The age test reads no index and no old row's content: it is what makes late rows, of whatever
    day, as cheap to find as new ones.
    """
    named = {column: name for column, name in source.fields.items() if _fits_identifier(name)}
    return sql.SQL(
        """
        select
            {raw_id}::text collate "C" as _airbyte_raw_id,
            {extracted_at} as _airbyte_extracted_at,
            {generation_id} as _airbyte_generation_id,
            {meta} as _airbyte_meta,
            case
                when {meta} ->> 'sync_id' ~ '^[0-9]{{1,18}}$'
                then ({meta} ->> 'sync_id')::bigint
            end as _atlas_sync_id,
            now() as _atlas_loaded_at,
            {run_id}::text as _atlas_run_id,
            ({extracted_at} at time zone 'UTC')::date as _atlas_partition,
            {data} as data
        from {landing} as landed
        cross join lateral (select {fields}) as fields
        where {unseen} and {chosen}
        """
    ).format(
        raw_id=source.raw_id,
        extracted_at=source.extracted_at,
        generation_id=source.generation_id,
        meta=source.meta,
        run_id=sql.Literal(run_id),
        data=source.data or _wrapped(source.fields, named),
        landing=identifier(source.table),
        fields=sql.SQL(", ").join(
            sql.SQL("landed.{} as {}").format(sql.Identifier(column), sql.Identifier(name))
            for column, name in named.items()
        ),
        chosen=chosen or sql.SQL("true"),
        unseen=sql.SQL("true")
        if since is None
        else sql.SQL("age(landed.xmin) <= {}").format(sql.Literal(since)),
    )


def _wrapped(fields: Mapping[str, str], named: Mapping[str, str]) -> sql.Composable:
    """Typed columns as one json object; names that are too long for an identifier come apart."""
    data: sql.Composable = sql.SQL("to_jsonb(fields.*)") if named else sql.SQL("'{}'::jsonb")
    for column in fields.keys() - named.keys():
        data = data + sql.SQL(" || jsonb_build_object({}::text, landed.{})").format(
            sql.Literal(fields[column]), sql.Identifier(column)
        )
    return data


def _fits_identifier(name: str) -> bool:
    return 0 < len(name.encode()) <= POSTGRES_NAME_BYTES and "\x00" not in name
