"""Migrations: once, whole or not at all, forward only, and only on top of what this Atlas made."""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from click.testing import CliRunner
from psycopg import sql

from atlas_dagster import warehouse
from atlas_dagster.assets.warehouse_resource import WarehouseResource
from atlas_dagster.cli_retention import retention
from atlas_dagster.cli_webhook import webhook
from atlas_dagster.defs.code_location import build_code_location
from atlas_dagster.errors import WarehouseError
from atlas_dagster.warehouse import PgConnection, connect, migrate
from atlas_dagster_tests.airbyte.scripted import USERS
from atlas_dagster_tests.integration.project import Project, day
from atlas_dagster_tests.pooler import pgbouncer

MIGRATE = """
import sys
from atlas_dagster.warehouse import connect, migrate
with connect(sys.argv[1]) as connection:
    sys.stdin.readline()
    print(len(migrate(connection)))
"""
NEWER = r"the database is at version 999, this Atlas knows \d+; upgrade Atlas"


def schemas(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "select nspname from pg_namespace where nspname !~ '^(pg_|information_schema)'"
        ).fetchall()
    return {name for (name,) in rows}


def with_migration(monkeypatch: pytest.MonkeyPatch, text: str) -> str:
    """One more than there is, with this text; returns its name."""
    known = warehouse._migrations()
    more = warehouse._Migration(len(known) + 1, "9999_more", text)
    monkeypatch.setattr(warehouse, "_migrations", lambda: (*known, more))
    return more.name


def test_processes_that_start_at_once_migrate_once(empty_database_url: str) -> None:
    command = (sys.executable, "-c", MIGRATE, empty_database_url)
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    with psycopg.connect(empty_database_url, autocommit=True) as watcher:
        connected = "select count(*) from pg_stat_activity where datname = current_database()"
        while watcher.execute(connected).fetchone() != (5,):
            assert all(process.poll() is None for process in processes)
            watcher.execute("select pg_sleep(0.05)")
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    done = [int(process.communicate()[0]) for process in processes]
    assert sorted(done) == [0, 0, 0, warehouse.known_version()]
    assert {process.returncode for process in processes} == {0}


@pytest.mark.parametrize("pooled", [False, True])
def test_who_waits_sees_what_was_done_whatever_isolation_the_database_has(
    empty_database_url: str, *, pooled: bool
) -> None:
    with psycopg.connect(empty_database_url, autocommit=True) as admin:
        repeatable = "alter database {} set default_transaction_isolation = 'repeatable read'"
        admin.execute(sql.SQL(repeatable).format(sql.Identifier(admin.info.dbname)))
    through = pgbouncer(empty_database_url, "transaction") if pooled else None
    with through or nullcontext(empty_database_url) as url, connect(url) as first:
        with ThreadPoolExecutor(1) as pool, first.transaction():
            first.execute("select pg_advisory_xact_lock(hashtextextended('atlas/migrate', 0))")
            second = pool.submit(migrate_by, url)
            waits = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
            while first.execute(waits).fetchone() != (1,):
                assert not second.done()
            assert migrate(first)
        assert second.result() == []


def migrate_by(url: str) -> list[str]:
    with connect(url) as connection:
        return migrate(connection)


def test_one_that_fails_leaves_nothing(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = with_migration(monkeypatch, "create table pipeline.more (); select 1 / 0")
    told = f"migration {name} failed, and nothing was changed: division by zero"
    with connect(empty_database_url) as connection:
        with pytest.raises(WarehouseError, match=told):
            migrate(connection)
        assert schemas(empty_database_url) == {"public"}
        monkeypatch.undo()
        migrate(connection)
        with_migration(monkeypatch, "create table pipeline.more (); select 1 / 0")
        with pytest.raises(WarehouseError, match=told):
            migrate(connection)
        assert connection.execute("select to_regclass('pipeline.more')").fetchone() == (None,)
        monkeypatch.undo()
        assert migrate(connection) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            "update pipeline.schema_version set name = '0003_other' where version = 3",
            "migration 3 of the database is 0003_other, this Atlas has 0003_snapshots",
        ),
        (
            "delete from pipeline.schema_version where version = 3",
            "migration 3 of the database is missing, this Atlas has 0003_snapshots",
        ),
        (
            "update pipeline.schema_version set checksum = 'x' where version = 3",
            "migration 0003_snapshots of the database is another text than this Atlas has",
        ),
    ],
)
def test_what_another_atlas_made_is_refused(
    warehouse: PgConnection, change: str, told: str
) -> None:
    warehouse.execute(change.encode())
    with pytest.raises(WarehouseError, match=told):
        migrate(warehouse)


def test_what_was_applied_without_a_checksum_is_taken_as_it_is(warehouse: PgConnection) -> None:
    warehouse.execute("update pipeline.schema_version set checksum = null")
    assert migrate(warehouse) == []


@pytest.mark.slow
def test_nothing_runs_backwards_wherever_it_starts(
    tmp_path: Path,
    warehouse: PgConnection,
    warehouse_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    more = {
        "ATLAS_WEBHOOK_TOKEN": "a-token-of-some-length",
        "QALITA_BASE_URL": "http://127.0.0.1:1",
        "QALITA_API_TOKEN": "token",
    }
    project = Project(tmp_path, warehouse_url, more)
    for name, value in project.variables.items():
        monkeypatch.setenv(name, value)
    project.with_connection("shop", USERS)
    warehouse.execute("insert into pipeline.schema_version (version, name) values (999, 'later')")
    for command in (retention, webhook):
        with pytest.raises(WarehouseError, match=NEWER):
            CliRunner().invoke(command, [], catch_exceptions=False)
    with dg.DagsterInstance.ephemeral() as instance:
        defs = build_code_location()
        run = defs.resolve_job_def("shop").execute_in_process(
            instance=instance, partition_key=day(), raise_on_error=False
        )
        failures = [e.step_failure_data for e in run.all_events if e.is_step_failure]
        assert not run.success
        assert re.search(NEWER, str(failures[0].error))
        sensor = next(each for each in defs.sensors or () if each.name == "qalita")
        with pytest.raises(WarehouseError, match=NEWER):
            sensor(dg.build_sensor_context(instance=instance))
    with pytest.raises(WarehouseError, match=NEWER), WarehouseResource().connect():
        pass
