"""PostgreSQL: connections, advisory locks, and the versioned schema of our own tables."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property, partial
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
    r" -c default_transaction_isolation=read\ committed"
)


def connect(
    url: str, *, application: str = "atlas", autocommit: bool = True, seconds: int | None = None
) -> PgConnection:
    """Open a connection in UTC; raises WarehouseError naming the server that did not answer.

    ``seconds`` is how long that may take; None: as long as the system lets it. The session acts as
    the role of `acting_role`. Without JIT: compiling what the layers compute takes longer than it
    saves, for a day and for a first load. Transactions are READ COMMITTED whatever the server's
    default is: who waited for a lock sees what its holder did. A pooler between may hand out
    another session to each transaction, so that only what it hands on with the client is set there:
    the time zone and how dates are written.
    """
    try:
        connection = _open(url, application, seconds)
        pooled = is_pooled(connection)
        if pooled:
            connection.prepare_threshold = None
            connection.execute("set timezone = 'UTC'")
            connection.execute("set datestyle = 'ISO'")
    except psycopg.OperationalError as error:
        raise WarehouseError(f"PostgreSQL is not reachable: {_first_line(error)}") from error
    if connection.info.server_version < OLDEST_SERVER:
        connection.close()
        raise WarehouseError("PostgreSQL 15 or newer is needed")
    if not pooled:
        connection.execute(acting_role(connection.info.server_version))
    connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
    connection.autocommit = autocommit
    return connection


def is_pooled(connection: PgConnection) -> bool:
    """Whether a pooler stands between: it tells its clients of a process that the server has not.

    Source: PgBouncer hands out cancel keys of its own, https://www.pgbouncer.org/features.html.
    """
    row = connection.execute("select pg_backend_pid()").fetchone()
    return row is None or row[0] != connection.info.backend_pid


def acting_role(server_version: int) -> sql.Composed:
    """SQL: let a session act as the role that owns our schemas, where it is one for a group.

    What the members of the group make then belongs to the group, as what they find does: each can
    go on with the work of another. Nothing happens where the login is no member of it. Where a
    pooler shares sessions it is not asked for: ``alter role <login> set role`` does the same.
    """
    return sql.SQL(
        """
        select set_config('role', owner.rolname, false)
        from pg_namespace as schema
        join pg_roles as owner on owner.oid = schema.nspowner
        where schema.nspname = 'pipeline'
            and not owner.rolcanlogin
            and pg_has_role(session_user, owner.oid, {})
        """
    ).format(sql.Literal("SET" if server_version >= 160000 else "MEMBER"))


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


def _open(url: str, application: str, seconds: int | None) -> PgConnection:
    """Open a connection that commits by itself; a pooler that takes no options gets none."""
    opened = partial(
        psycopg.connect,
        url,
        autocommit=True,
        application_name=application,
        connect_timeout=seconds,
    )
    try:
        return opened(options=_OPTIONS)
    except psycopg.OperationalError as error:
        if "unsupported startup parameter" not in str(error):
            raise
        return opened()


def migrate(connection: PgConnection) -> list[str]:
    """Bring our own tables to the newest version, under a lock; returns the migrations applied.

    All of them in one transaction, or none. Raises WarehouseError where one fails, where the
    database is newer than this code (it never runs backwards), where what was applied to it is not
    what this code has, and where the role may not.
    """
    try:
        return _migrate(connection)
    except psycopg.errors.InsufficientPrivilege as error:
        raise _forbidden(connection, error) from None


def _migrate(connection: PgConnection) -> list[str]:
    if not _missing(connection):
        return []
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(hashtextextended('atlas/migrate', 0))")
        connection.execute("create schema if not exists pipeline")
        connection.execute(
            "create table if not exists pipeline.schema_version ("
            " version int primary key, name text not null,"
            " applied_at timestamptz not null default now())"
        )
        connection.execute(
            "alter table pipeline.schema_version add column if not exists checksum text"
        )
        missing = _missing(connection)
        for migration in missing:
            _apply(connection, migration)
    return [migration.name for migration in missing]


def schema_version(connection: PgConnection) -> int:
    """The version of our tables in a database, 0 where there are none; raises as `migrate`."""
    try:
        return known_version() - len(_missing(connection))
    except psycopg.errors.InsufficientPrivilege as error:
        raise _forbidden(connection, error) from None


def _forbidden(connection: PgConnection, error: psycopg.Error) -> WarehouseError:
    role = connection.info.user
    return WarehouseError(
        f"role {role}: {error.diag.message_primary}; let an administrator run:"
        f" atlas roles create --writer {role}"
    )


def known_version() -> int:
    """The version that this code brings a database to."""
    return len(_migrations())


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


@dataclass(frozen=True)
class _Migration:
    version: int
    name: str
    text: str

    @cached_property  # migrations are looked at whenever something is opened
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


@cache
def _migrations() -> tuple[_Migration, ...]:
    folder = resources.files("atlas_dagster") / "migrations"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    return tuple(
        _Migration(version, file.name.removesuffix(".sql"), file.read_text("utf-8"))
        for version, file in enumerate(files, start=1)
    )


def _missing(connection: PgConnection) -> list[_Migration]:
    """The migrations that a database has yet to get; raises where it has others than ours."""
    known, applied = _migrations(), _applied(connection)
    newest = max(applied, default=0)
    if newest > len(known):
        raise WarehouseError(
            f"the database is at version {newest}, this Atlas knows {len(known)}; upgrade Atlas"
        )
    for migration in known[:newest]:
        found = applied.get(migration.version)
        if found is None or found[0] != migration.name:
            raise WarehouseError(
                f"migration {migration.version} of the database is"
                f" {found[0] if found else 'missing'}, this Atlas has {migration.name}:"
                " another Atlas made it; use that one, or restore a backup"
            )
        if found[1] not in (None, migration.checksum):  # older ones kept none
            raise WarehouseError(
                f"migration {migration.name} of the database is another text than this Atlas has:"
                " another Atlas made it; use that one, or restore a backup"
            )
    return list(known[newest:])


def _applied(connection: PgConnection) -> dict[int, tuple[str, str | None]]:
    """Name and checksum of what was applied, by version."""
    if not table_exists(connection, Table("pipeline", "schema_version")):
        return {}
    rows = connection.execute(
        "select version, name, to_jsonb(applied)->>'checksum'"
        " from pipeline.schema_version as applied"
    ).fetchall()
    return {version: (name, checksum) for version, name, checksum in rows}


def _apply(connection: PgConnection, migration: _Migration) -> None:
    try:
        connection.execute(sql.SQL(cast("Any", migration.text)))
    except psycopg.errors.InsufficientPrivilege:
        raise
    except psycopg.Error as error:
        raise WarehouseError(
            f"migration {migration.name} failed, and nothing was changed:"
            f" {error.diag.message_primary or _first_line(error)}"
        ) from error
    connection.execute(
        "insert into pipeline.schema_version (version, name, checksum) values (%s, %s, %s)",
        (migration.version, migration.name, migration.checksum),
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
