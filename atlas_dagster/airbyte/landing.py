"""The landing table of one stream: made, evolved, filled, and swapped where the mode says so."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import psycopg
from psycopg import sql

from atlas_dagster.airbyte import landing_sql
from atlas_dagster.catalog import Column, Stream, SyncMode, Table
from atlas_dagster.errors import ConfigError, WarehouseError
from atlas_dagster.json_schema import ColumnType
from atlas_dagster.warehouse import PgConnection, identifier, table_columns, table_exists

_STORED_AS = {ColumnType.TEXT: "character varying"}


@dataclass(frozen=True)
class Landing:
    """Where one stream of one job is written.

    ``table`` is what rows go to: the landing table, or the temporary-named one beside it that
    replaces it when the sync succeeds.
    """

    stream: Stream
    table: Table
    source: landing_sql.RowSource
    key: tuple[Column, ...]
    cursor: Column | None

    @property
    def swaps(self) -> bool:
        return self.table != self.stream.landing

    @property
    def truncates(self) -> bool:
        return is_truncating(self.stream)


def is_truncating(stream: Stream) -> bool:
    """Whether a sync replaces what the table held (Airbyte: minimum generation = generation)."""
    return stream.sync_mode is SyncMode.FULL_REFRESH and stream.destination_mode.overwrites


def json_kinds(json_schema: Mapping[str, Any]) -> dict[str, str]:
    """The properties that are declared as object or as array, and as nothing else."""
    kinds: dict[str, str] = {}
    for name, schema in cast("Mapping[str, Any]", json_schema.get("properties") or {}).items():
        prop = cast("Mapping[str, Any]", schema if isinstance(schema, Mapping) else {})
        declared = prop.get("type")
        types = [declared] if isinstance(declared, str) else cast("list[str]", declared or [])
        real = [kind for kind in types if kind != "null"]
        composed = any(key in prop for key in ("oneOf", "anyOf", "allOf"))
        if len(real) == 1 and real[0] in ("object", "array") and not composed:
            kinds[name] = real[0]
    return kinds


def open_landing(
    connection: PgConnection,
    stream: Stream,
    kinds: Mapping[str, str],
    *,
    sync_id: int,
    generation_id: int,
    raw_id_prefix: str,
) -> Landing:
    """Make the tables of a stream ready for a job.

    Raises ConfigError where the primary key or an existing table does not allow the mode.
    """
    with connection.transaction():
        table = _prepare_table(connection, stream)
        stage = sql.Identifier(_hashed("_atlas_stage_", stream))
        connection.execute(sql.SQL("drop table if exists pg_temp.{}").format(stage))
        connection.execute(landing_sql.create_stage(stage))
    return Landing(
        stream=stream,
        table=table,
        source=landing_sql.RowSource(
            stage=stage,
            fields=tuple(landing_sql.Field(c, kinds.get(c.name)) for c in stream.columns),
            raw_id_prefix=raw_id_prefix,
            sync_id=sync_id,
            generation_id=generation_id,
            server_version=connection.info.server_version,
        ),
        key=_key_columns(stream),
        cursor=_cursor_column(stream),
    )


def stage_rows(connection: PgConnection, landing: Landing, rows: Sequence[bytes]) -> None:
    """COPY rows, as lines of COPY's text format, into the stream's staging table."""
    with (
        connection.cursor() as cursor,
        cursor.copy(landing_sql.copy_stage(landing.source.stage)) as copy,
    ):
        copy.write(b"".join(rows))


def apply_stage(connection: PgConnection, landing: Landing, cursor_value: str | None) -> str | None:
    """Move all staged rows into the table; returns the greatest cursor so far, as text."""
    source = landing.source
    if landing.cursor is not None and landing.cursor.type not in _UNORDERED:
        row = connection.execute(
            landing_sql.greatest_cursor(source, landing.cursor, cursor_value)
        ).fetchone()
        cursor_value = row[0] if row else None
    if landing.stream.destination_mode.dedups:
        found = connection.execute(landing_sql.has_null_keys(source, landing.key)).fetchone()
        statement = landing_sql.upsert_rows(
            landing.table,
            source,
            landing.key,
            landing.cursor,
            null_keys=bool(found and found[0]),
        )
    else:
        statement = landing_sql.insert_rows(landing.table, source)
    connection.execute(statement)
    connection.execute(landing_sql.truncate_stage(source.stage))
    return cursor_value


_UNORDERED = (ColumnType.JSONB, ColumnType.BOOLEAN)


def swap(connection: PgConnection, landing: Landing) -> None:
    """Put the temporary-named table in the place of the landing table, within a transaction.

    Raises WarehouseError where a view or another object depends on the table.
    """
    real = landing.stream.landing
    try:
        connection.execute(sql.SQL("drop table if exists {}").format(identifier(real)))
    except psycopg.errors.DependentObjectsStillExist as error:
        raise WarehouseError(
            f"table {real} cannot be replaced: other objects depend on it ({_first_detail(error)})"
        ) from None
    connection.execute(
        sql.SQL("alter table {} rename to {}").format(
            identifier(landing.table), sql.Identifier(real.name)
        )
    )
    ours, wanted = landing_sql.index_names(landing.table), landing_sql.index_names(real)
    for purpose in _index_columns(landing.stream):
        if not _relation_exists(connection, Table(real.schema, wanted[purpose])):
            connection.execute(
                landing_sql.rename_index(real.schema, ours[purpose], wanted[purpose])
            )


def discard(connection: PgConnection, landing: Landing) -> None:
    """Drop the temporary-named table of a sync that failed."""
    connection.execute(sql.SQL("drop table if exists {}").format(identifier(landing.table)))


def _relation_exists(connection: PgConnection, name: Table) -> bool:
    row = connection.execute(
        "select exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname = %s and c.relname = %s)",
        (name.schema, name.name),
    ).fetchone()
    return bool(row and row[0])


def _prepare_table(connection: PgConnection, stream: Stream) -> Table:
    """Create or evolve the table that rows will go to, and return it."""
    real = stream.landing
    temporary = Table(real.schema, _hashed("_atlas_swap_", stream))
    connection.execute(
        sql.SQL("create schema if not exists {}").format(sql.Identifier(real.schema))
    )
    connection.execute(sql.SQL("drop table if exists {}").format(identifier(temporary)))
    exists = table_exists(connection, real)
    if exists:
        _refuse_foreign_table(connection, real)
    if exists and is_truncating(stream) and _has_rows(connection, real):
        _create(connection, temporary, stream)
        return temporary
    if not exists:
        _create(connection, real, stream)
    else:
        _evolve(connection, stream)
        _create_indexes(connection, real, stream)
    return real


def _create(connection: PgConnection, table: Table, stream: Stream) -> None:
    try:
        connection.execute(landing_sql.create_table(table, stream.columns))
    except psycopg.errors.ProgrammingError as error:
        raise ConfigError(
            f"stream {stream.label}: its table cannot be created: {error.diag.message_primary}"
        ) from None
    _create_indexes(connection, table, stream)


def _create_indexes(connection: PgConnection, table: Table, stream: Stream) -> None:
    names = landing_sql.index_names(table)
    for purpose, columns in _index_columns(stream).items():
        connection.execute(landing_sql.create_index(table, names[purpose], columns))


def _index_columns(stream: Stream) -> dict[str, list[str]]:
    indexes = {"extracted_at": ["_airbyte_extracted_at"]}
    if stream.destination_mode.dedups:
        indexes["pk"] = [column.landing for column in _key_columns(stream)]
        cursor = _cursor_column(stream)
        if cursor is not None:
            indexes["cursor"] = [cursor.landing]
    return indexes


def _evolve(connection: PgConnection, stream: Stream) -> None:
    """Add, drop and retype columns so that the table has what the catalog declares."""
    table = stream.landing
    present = table_columns(connection, table)
    wanted = {column.landing: column for column in stream.columns}
    for name in present.keys() - wanted.keys() - landing_sql.META_COLUMNS.keys():
        connection.execute(landing_sql.drop_column(table, name))
    for column in stream.columns:
        old_type = present.get(column.landing)
        if old_type is None:
            connection.execute(landing_sql.add_column(table, column))
        elif old_type != _STORED_AS.get(column.type, column.type.value):
            _retype(connection, stream, column, old_type)


def _retype(connection: PgConnection, stream: Stream, column: Column, old_type: str) -> None:
    try:
        with connection.transaction():
            connection.execute(landing_sql.retype_column(stream.landing, column, old_type))
    except psycopg.Error as error:
        raise WarehouseError(
            f"{stream.landing}: column {column.landing} cannot become {column.type.value}:"
            f" {error.diag.message_primary}"
        ) from None


def _refuse_foreign_table(connection: PgConnection, table: Table) -> None:
    if not landing_sql.META_COLUMNS.keys() <= table_columns(connection, table).keys():
        raise ConfigError(
            f"table {table} already exists and does not contain Airbyte's internal columns"
        )


def _has_rows(connection: PgConnection, table: Table) -> bool:
    row = connection.execute(
        sql.SQL("select exists (select from {})").format(identifier(table))
    ).fetchone()
    return bool(row and row[0])


def _key_columns(stream: Stream) -> tuple[Column, ...]:
    if not stream.destination_mode.dedups:
        return ()
    columns: list[Column] = []
    for path in stream.primary_key:
        column = stream.column(path[0]) if len(path) == 1 else None
        if column is None:
            raise ConfigError(
                f"stream {stream.label}: primary key {'.'.join(path)} is not one of its fields"
            )
        columns.append(column)
    return tuple(columns)


def _cursor_column(stream: Stream) -> Column | None:
    return stream.column(stream.cursor[0]) if len(stream.cursor) == 1 else None


def _hashed(prefix: str, stream: Stream) -> str:
    return prefix + hashlib.sha256(str(stream.landing).encode()).hexdigest()[:32]


def _first_detail(error: psycopg.Error) -> str:
    return (error.diag.message_detail or "").split("\n")[0]
