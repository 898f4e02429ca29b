"""PostgreSQL: connections, advisory locks, and the versioned schema of our own tables."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache, partial
from importlib import resources
from typing import Any, TypeAlias, cast

import psycopg
from psycopg import sql

from atlas_dagster import embedded_postgres
from atlas_dagster.catalog import Stream, Table
from atlas_dagster.errors import BusyError, WarehouseError
from atlas_dagster.settings import Settings

PgConnection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

OLDEST_SERVER = 150000

_OPTIONS = (
    "-c timezone=UTC -c datestyle=ISO -c intervalstyle=postgres"
    " -c client_min_messages=warning -c jit=off"
)


def connect(url: str, *, application: str = "atlas", autocommit: bool = True) -> PgConnection:
    """Open a connection in UTC; raises WarehouseError naming the server that did not answer.

    Without JIT: compiling what the layers compute takes longer than it saves, for a day and for
    a first load. A pooler between may hand out another session to each transaction, so that only
    what it hands on with the client is set there: the time zone and how dates are written.
    """
    try:
        connection = _open(url, application)
        if is_pooled(connection):
            connection.prepare_threshold = None
            connection.execute("set timezone = 'UTC'")
            connection.execute("set datestyle = 'ISO'")
    except psycopg.OperationalError as error:
        raise WarehouseError(f"PostgreSQL is not reachable: {_first_line(error)}") from error
    if connection.info.server_version < OLDEST_SERVER:
        connection.close()
        raise WarehouseError("PostgreSQL 15 or newer is needed")
    connection.autocommit = autocommit
    return connection


def is_pooled(connection: PgConnection) -> bool:
    """Whether a pooler stands between: it tells its clients of a process that the server has not.

    Source: PgBouncer hands out cancel keys of its own, https://www.pgbouncer.org/features.html.
    """
    row = connection.execute("select pg_backend_pid()").fetchone()
    return row is None or row[0] != connection.info.backend_pid


def resolve_url(settings: Settings) -> str:
    """The URL of the warehouse; in embedded mode its server is started where it does not run.

    Raises WarehouseError where it does not start.
    """
    return settings.warehouse_url or embedded_postgres.start(settings.data_dir)


def resolve_session_url(settings: Settings) -> str:
    """The URL for what outlasts a transaction: locks, a session's tables and settings.

    Raises WarehouseError where there is none but that of a pooler, which would hand what belongs to
    one session to others.
    """
    if settings.warehouse_session_url:
        return settings.warehouse_session_url
    if settings.warehouse_url:
        _check_session(settings.warehouse_url)
    return resolve_url(settings)


@cache
def _check_session(url: str) -> None:
    with connect(url) as connection:
        if is_pooled(connection):
            raise WarehouseError(
                "ATLAS_WAREHOUSE_URL is a pooler's, and this needs a session: name the server"
                " itself, or a pool that hands out sessions, in ATLAS_WAREHOUSE_SESSION_URL"
            )


def _open(url: str, application: str) -> PgConnection:
    """Open a connection that commits by itself; a pooler that takes no options gets none."""
    opened = partial(psycopg.connect, url, autocommit=True, application_name=application)
    try:
        return opened(options=_OPTIONS)
    except psycopg.OperationalError as error:
        if "unsupported startup parameter" not in str(error):
            raise
        return opened()


def migrate(connection: PgConnection) -> list[str]:
    """Bring our own tables to the newest version, under a lock; returns the migrations applied.

    Raises WarehouseError where the database is newer than this code: it never runs backwards.
    """
    known = _migrations()
    if _schema_version(connection) == len(known):
        return []
    applied: list[str] = []
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(hashtextextended('atlas/migrate', 0))")
        connection.execute("create schema if not exists pipeline")
        connection.execute(
            "create table if not exists pipeline.schema_version ("
            " version int primary key, name text not null,"
            " applied_at timestamptz not null default now())"
        )
        version = _schema_version(connection)
        if version > len(known):
            raise WarehouseError(
                f"the database is at version {version}, this Atlas knows {len(known)};"
                " upgrade Atlas"
            )
        for number, (name, text) in enumerate(known[version:], start=version + 1):
            connection.execute(sql.SQL(cast("Any", text)))
            connection.execute(
                "insert into pipeline.schema_version (version, name) values (%s, %s)",
                (number, name),
            )
            applied.append(name)
    return applied


def identifier(table: Table) -> sql.Identifier:
    """A table as a quoted identifier."""
    return sql.Identifier(table.schema, table.name)


def table_exists(connection: PgConnection, table: Table) -> bool:
    """Whether a table or view of that name exists."""
    row = connection.execute(
        "select exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname = %s and c.relname = %s and c.relkind in ('r', 'p', 'v', 'm', 'f'))",
        (table.schema, table.name),
    ).fetchone()
    return bool(row and row[0])


def table_columns(connection: PgConnection, table: Table) -> dict[str, str]:
    """The columns of a table, in order, with their types as PostgreSQL spells them."""
    rows = connection.execute(
        "select a.attname::text, format_type(a.atttypid, a.atttypmod)"
        " from pg_attribute a join pg_class c on c.oid = a.attrelid"
        " join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname = %s and c.relname = %s and a.attnum > 0 and not a.attisdropped"
        " order by a.attnum",
        (table.schema, table.name),
    ).fetchall()
    return {str(name): str(kind) for name, kind in rows}


def lock_transaction(connection: PgConnection, scope: str) -> None:
    """Wait for an advisory lock that the current transaction holds until it ends."""
    connection.execute("select pg_advisory_xact_lock(%s)", (lock_key(scope),))


@contextmanager
def session_lock(connection: PgConnection, scope: str, busy: str) -> Generator[None]:
    """Hold an advisory lock for a block; raises BusyError(busy) where another session has it."""
    row = connection.execute("select pg_try_advisory_lock(%s)", (lock_key(scope),)).fetchone()
    if not (row and row[0]):
        raise BusyError(busy)
    try:
        yield
    finally:
        if not connection.closed and not connection.broken:
            connection.execute("select pg_advisory_unlock(%s)", (lock_key(scope),))


def lock_key(scope: str) -> int:
    """The 64-bit key of an advisory lock, from a text such as ``sync/<connection id>``."""
    digest = hashlib.sha256(f"atlas/{scope}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def register_stream(connection: PgConnection, stream: Stream) -> None:
    """Record which stream owns a table; raises WarehouseError where another already does."""
    row = connection.execute(
        "insert into pipeline.stream as s"
        " (table_name, connection, stream, connection_id, namespace, name)"
        " values (%s, %s, %s, %s, %s, %s)"
        " on conflict (table_name) do update set connection_id = excluded.connection_id,"
        " namespace = excluded.namespace, name = excluded.name"
        " where (s.connection, s.stream) = (excluded.connection, excluded.stream)"
        " returning 1",
        (
            stream.table_name,
            stream.connection,
            stream.slug,
            stream.connection_id,
            stream.namespace or "",
            stream.name,
        ),
    ).fetchone()
    if row is None:
        raise WarehouseError(f"table {stream.table_name} belongs to another stream already")


def _migrations() -> list[tuple[str, str]]:
    folder = resources.files("atlas_dagster") / "migrations"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    return [(file.name.removesuffix(".sql"), file.read_text("utf-8")) for file in files]


def _schema_version(connection: PgConnection) -> int:
    if not table_exists(connection, Table("pipeline", "schema_version")):
        return 0
    row = connection.execute(
        "select coalesce(max(version), 0) from pipeline.schema_version"
    ).fetchone()
    return int(row[0]) if row else 0


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
