"""The warehouse: migrations go forward only, locks exclude, no two streams share a table."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from atlas_dagster import embedded_postgres, warehouse
from atlas_dagster.catalog import DestinationMode, Stream, SyncMode, Table
from atlas_dagster.errors import BusyError, WarehouseError
from atlas_dagster.settings import load_settings
from atlas_dagster.warehouse import (
    PgConnection,
    connect,
    lock_key,
    lock_transaction,
    migrate,
    register_stream,
    resolve_url,
    session_lock,
    table_columns,
    table_exists,
)


def migrations_applied(connection: PgConnection) -> int:
    row = connection.execute("select count(*) from pipeline.schema_version").fetchone()
    assert row is not None
    return row[0]


def test_migrating_twice_changes_nothing(empty_database_url: str) -> None:
    with connect(empty_database_url) as connection:
        first = migrate(connection)
        assert first[0] == "0001_pipeline"
        assert migrate(connection) == []
        assert migrations_applied(connection) == len(first)


def test_migrations_at_the_same_time_are_applied_once(empty_database_url: str) -> None:
    def migrate_in_a_session(_: int) -> list[str]:
        with connect(empty_database_url) as connection:
            return migrate(connection)

    with ThreadPoolExecutor(4) as pool:
        applied = [names for names in pool.map(migrate_in_a_session, range(4)) if names]
    assert len(applied) == 1
    with connect(empty_database_url) as connection:
        assert migrations_applied(connection) == len(applied[0])


def test_a_newer_database_is_refused(warehouse: PgConnection) -> None:
    warehouse.execute("insert into pipeline.schema_version (version, name) values (999, 'later')")
    with pytest.raises(WarehouseError, match=r"version 999, this Atlas knows \d+; upgrade"):
        migrate(warehouse)


def test_sessions_are_in_utc(warehouse: PgConnection) -> None:
    row = warehouse.execute("select '2026-03-01 00:00'::timestamptz::text").fetchone()
    assert row == ("2026-03-01 00:00:00+00",)


def test_a_server_that_does_not_answer_is_named() -> None:
    with pytest.raises(WarehouseError, match=r"not reachable: .*127\.0\.0\.1"):
        connect("postgresql://127.0.0.1:1/atlas")


def test_a_session_lock_excludes_other_sessions_until_it_ends(warehouse_url: str) -> None:
    with connect(warehouse_url) as ours, connect(warehouse_url) as theirs:
        with (
            session_lock(ours, "sync/a", "a is being synced"),
            session_lock(theirs, "sync/b", "b is being synced"),
            pytest.raises(BusyError, match="a is being synced"),
            session_lock(theirs, "sync/a", "a is being synced"),
        ):
            pytest.fail("two sessions hold one lock")
        with session_lock(theirs, "sync/a", "a is being synced"):
            pass


def test_a_session_lock_is_freed_where_its_block_fails(warehouse_url: str) -> None:
    with connect(warehouse_url) as ours, connect(warehouse_url) as theirs:
        with pytest.raises(psycopg.errors.DivisionByZero), session_lock(ours, "sync/a", "busy"):
            ours.execute("select 1 / 0")
        with session_lock(theirs, "sync/a", "busy"):
            pass


def test_a_session_lock_ends_with_its_session(warehouse_url: str) -> None:
    with connect(warehouse_url) as theirs:
        ours = connect(warehouse_url)
        with session_lock(ours, "sync/a", "busy"):
            ours.close()
        theirs.execute("select pg_advisory_lock(%s)", (lock_key("sync/a"),))


def test_a_transaction_lock_is_freed_with_its_transaction(warehouse_url: str) -> None:
    with connect(warehouse_url) as ours, connect(warehouse_url) as theirs:
        with ours.transaction():
            lock_transaction(ours, "chart/a")
            theirs.execute("set lock_timeout = '1ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                lock_transaction(theirs, "chart/a")
        theirs.execute("reset lock_timeout")
        with theirs.transaction():
            lock_transaction(theirs, "chart/a")


@pytest.mark.parametrize("autocommit", [True, False])
def test_each_statement_sees_what_others_committed_whatever_the_server_is_set_to(
    empty_database_url: str, *, autocommit: bool
) -> None:
    with psycopg.connect(empty_database_url, autocommit=True) as admin:
        serializable = "alter database {} set default_transaction_isolation = 'serializable'"
        admin.execute(sql.SQL(serializable).format(sql.Identifier(admin.info.dbname)))
    level = "show transaction_isolation"
    with connect(empty_database_url, autocommit=autocommit) as ours:
        assert ours.execute(level).fetchone() == ("read committed",)
        with ours.transaction():
            assert ours.execute(level).fetchone() == ("read committed",)


def test_a_table_belongs_to_one_stream(warehouse: PgConnection) -> None:
    users = Stream(
        connection="crm",
        connection_id="c1",
        namespace=None,
        name="users",
        slug="users",
        landing=Table("landing", "users"),
        sync_mode=SyncMode.INCREMENTAL,
        destination_mode=DestinationMode.APPEND_DEDUP,
        cursor=("updated_at",),
        primary_key=(("id",),),
        columns=(),
    )
    register_stream(warehouse, users)
    register_stream(warehouse, replace(users, connection_id="c2"))
    assert warehouse.execute("select connection_id from pipeline.stream").fetchall() == [("c2",)]
    warehouse.execute("update pipeline.stream set stream = 'another'")
    with pytest.raises(WarehouseError, match="table crm__users belongs to another stream already"):
        register_stream(warehouse, users)


def test_tables_are_found_by_their_exact_names(warehouse: PgConnection) -> None:
    table = Table("explore", 'Odd "name" ü')
    assert not table_exists(warehouse, table)
    warehouse.execute('create table explore."Odd ""name"" ü" (a numeric(3, 1), b timestamptz[])')
    assert table_exists(warehouse, table)
    assert not table_exists(warehouse, Table("chart", table.name))
    assert table_columns(warehouse, table) == {
        "a": "numeric(3,1)",
        "b": "timestamp with time zone[]",
    }


def test_a_warehouse_of_ones_own_is_taken_as_it_is(tmp_path: Path) -> None:
    environment = {
        "ATLAS_DATA_DIR": str(tmp_path),
        "ATLAS_WAREHOUSE_URL": "postgresql://host/warehouse",
    }
    assert resolve_url(load_settings(environment)) == "postgresql://host/warehouse"
    assert not embedded_postgres.is_running(tmp_path)


def test_charts_of_an_older_atlas_learn_which_sync_their_rows_came_by(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_migrations = warehouse._migrations()
    with connect(empty_database_url) as connection:
        monkeypatch.setattr(warehouse, "_migrations", lambda: all_migrations[:2])
        migrate(connection)
        connection.execute(
            "insert into pipeline.stream (table_name, connection, stream, connection_id, name)"
            " values ('shop__a', 'shop', 'a', 'c', 'a'), ('shop__b', 'shop', 'b', 'c', 'b')"
        )
        connection.execute(
            "insert into pipeline.layer_table (layer, table_name, definition, rows)"
            " values ('chart', 'shop__a', '', 0), ('chart', 'shop__b', '', 0)"
        )
        connection.execute("create table chart.shop__a (id bigint)")
        monkeypatch.setattr(warehouse, "_migrations", lambda: all_migrations)
        assert migrate(connection)[0] == "0003_snapshots"
        assert "_atlas_sync_id" in table_columns(connection, Table("chart", "shop__a"))
