"""`atlas roles`: the PostgreSQL roles of those who run Atlas and of those who read its results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click
import psycopg
from psycopg import sql

from atlas_dagster.airbyte.catalogs import WORKSPACE_ID
from atlas_dagster.catalog import Table
from atlas_dagster.counted import counted
from atlas_dagster.errors import BusyError, ConfigError, WarehouseError
from atlas_dagster.roles import grants
from atlas_dagster.roles.grants import READABLE_STATE, READER, WRITER, Surroundings
from atlas_dagster.roles.ownership import Ownership, read_ownership
from atlas_dagster.settings import Settings, load_settings
from atlas_dagster.warehouse import (
    PgConnection,
    connect,
    lock_transaction,
    migrate,
    resolve_session_url,
    table_exists,
)

STATEMENTS_A_TRANSACTION = 500
"""Each locks a table, its indexes and its rows too long: PostgreSQL has room for some thousands."""

LOCK_SECONDS = 30


@click.group()
def roles() -> None:
    """PostgreSQL roles: of those who run Atlas, and of those who read its results."""


@roles.command()
@click.option("--writer", "writers", multiple=True, metavar="LOGIN", help="Let a login run Atlas.")
@click.option("--reader", "readers", multiple=True, metavar="LOGIN", help="Let a login read.")
@click.option("--dry-run", is_flag=True, help="Print the SQL, and change nothing.")
def create(writers: tuple[str, ...], readers: tuple[str, ...], *, dry_run: bool) -> None:
    """Make or update the group roles atlas_writer and atlas_reader; run it as an administrator.

    Writers own all that Atlas writes, Dagster's tables in the same database among it. Readers may
    read chart, navigate, and what pipeline says of streams and of their quality.
    """
    settings = load_settings()
    with connect(resolve_session_url(settings), application="atlas roles") as connection:
        connection.execute("set role none")  # as the administrator, not as a writer
        _require_logins(connection, [*writers, *readers])
        if not dry_run:
            migrate(connection)
            _make_dagster_tables(settings)
        around, ownership = _look(connection, settings)
        transactions = _transactions(around, ownership, writers, readers)
        if dry_run:
            _print(connection, transactions, settings)
            return
        for statements in transactions:
            _execute(connection, statements)
    _tell(around, ownership, writers, readers)


def _look(connection: PgConnection, settings: Settings) -> tuple[Surroundings, Ownership]:
    has_public = settings.dagster_url is None
    dagster_tables = _dagster_tables() if has_public else ()
    ownership = read_ownership(connection, WRITER, dagster_tables, WORKSPACE_ID)
    row = connection.execute(
        "select current_database(), current_setting('is_superuser')::bool"
    ).fetchone()
    assert row is not None
    found = connection.execute(
        "select rolname::text from pg_roles where rolname = any(%s)", ([WRITER, READER],)
    ).fetchall()
    schemas = connection.execute(
        "select nspname::text, pg_get_userbyid(nspowner)::text from pg_namespace"
    ).fetchall()
    around = Surroundings(
        row[0], row[1], frozenset(name for (name,) in found), dict(schemas), has_public
    )
    return around, ownership


def _transactions(
    around: Surroundings,
    ownership: Ownership,
    writers: Sequence[str],
    readers: Sequence[str],
) -> list[list[sql.Composed]]:
    """One transaction, unless more is to be handed over than fits into one."""
    first = list(grants.create_roles(around))
    handing = list(grants.hand_over_all(around, ownership))
    last = [
        *grants.grant_landed(around, ownership),
        *grants.grant_reading(around, ownership),
        *grants.grant_membership(writers, readers),
    ]
    if len(handing) <= STATEMENTS_A_TRANSACTION:
        return [[*first, *handing, *last]]
    batches = range(0, len(handing), STATEMENTS_A_TRANSACTION)
    return [first, *(handing[at : at + STATEMENTS_A_TRANSACTION] for at in batches), last]


def _execute(connection: PgConnection, statements: Sequence[sql.Composed]) -> None:
    try:
        with connection.transaction():
            lock_transaction(connection, "roles")
            connection.execute(f"set local lock_timeout = '{LOCK_SECONDS}s'".encode())
            for statement in statements:
                connection.execute(statement)
    except psycopg.errors.LockNotAvailable:
        raise BusyError(
            f"a run holds a table for more than {LOCK_SECONDS} s; try again when none runs"
        ) from None
    except psycopg.errors.InsufficientPrivilege as error:
        raise WarehouseError(
            f"role {connection.info.user}: {error.diag.message_primary}; run it as a superuser, or"
            " as a role with CREATEROLE that owns the database and what is in it"
        ) from None


def _require_logins(connection: PgConnection, logins: Sequence[str]) -> None:
    rows = connection.execute(
        "select rolname::text from pg_roles where rolname = any(%s)", (list(logins),)
    ).fetchall()
    missing = sorted({*logins} - {str(name) for (name,) in rows})
    if missing:
        raise ConfigError(
            f"there is no role {missing[0]}; make it first: create role … login password '…'"
        )


def _dagster_tables() -> set[str]:
    from dagster._core.storage.event_log.schema import SqlEventLogStorageMetadata
    from dagster._core.storage.runs.schema import RunStorageSqlMetadata
    from dagster._core.storage.schedules.schema import ScheduleStorageSqlMetadata

    parts = (RunStorageSqlMetadata, SqlEventLogStorageMetadata, ScheduleStorageSqlMetadata)
    return {"alembic_version", *(name for part in parts for name in part.tables)}


def _make_dagster_tables(settings: Settings) -> None:
    """Let Dagster make its tables, where they belong here: later its makers would be logins."""
    if settings.dagster_url is None:
        from atlas_dagster.dagster_storage import AtlasStorage, storage_url

        AtlasStorage(storage_url(settings), inst_data=None)


def _print(
    connection: PgConnection, transactions: Sequence[Sequence[sql.Composed]], settings: Settings
) -> None:
    if not table_exists(connection, Table("pipeline", "schema_version")):
        click.echo("-- first Atlas makes its own tables")
    if settings.dagster_url is None and not table_exists(connection, Table("public", "runs")):
        click.echo("-- first Dagster makes its own tables")
    for statements in transactions:
        click.echo("begin;")
        for statement in statements:
            click.echo(f"{statement.as_string(connection)};")
        click.echo("commit;")


def _tell(
    around: Surroundings,
    ownership: Ownership,
    writers: Sequence[str],
    readers: Sequence[str],
) -> None:
    for line in _told(around, ownership):
        click.echo(line)
    for group, logins in ((WRITER, writers), (READER, readers)):
        for login in logins:
            click.echo(f"{login}: is in {group}")
    if not writers and not readers:
        click.echo(f"let logins in: grant {WRITER} to …; grant {READER} to …")


def _told(around: Surroundings, ownership: Ownership) -> Iterator[str]:
    made = "was there" if WRITER in around.roles else "made"
    schemas = ", ".join(ownership.schemas)
    yield f"{WRITER}: {made}; owns {schemas}"
    if ownership.taken:
        yield f"{WRITER}: took over {counted(len(ownership.taken), 'object')} of others"
    made = "was there" if READER in around.roles else "made"
    yield (
        f"{READER}: {made}; reads {', '.join(grants.READABLE_LAYERS)}, and of pipeline"
        f" {', '.join(READABLE_STATE)}"
    )
    for landed in ownership.landed:
        schema, owner = landed.schema, landed.owner
        if around.is_superuser:
            yield f"{WRITER}: reads {schema}, where {owner} lands"
        else:
            yield f"{WRITER}: {owner} has to grant it select in {schema}, where it lands"
    for each in ownership.left:
        yield f"left as it is: {each.quoted} of {each.owner}"
