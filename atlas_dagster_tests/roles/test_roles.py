"""`atlas roles create`: what a writer and a reader can do, as logins that have no other right."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from click.testing import CliRunner
from psycopg import sql

from atlas_dagster import cli_roles
from atlas_dagster import warehouse as warehouse_module
from atlas_dagster.cli_retention import retention
from atlas_dagster.cli_roles import roles
from atlas_dagster.dagster_storage import AtlasStorage, storage_url
from atlas_dagster.defs.code_location import build_code_location
from atlas_dagster.doctor.database import look_at_postgres
from atlas_dagster.doctor.probes import Finding, Verdict, well
from atlas_dagster.errors import BusyError, ConfigError, WarehouseError
from atlas_dagster.roles.grants import READABLE_STATE
from atlas_dagster.settings import load_settings
from atlas_dagster.warehouse import connect, migrate, register_stream
from atlas_dagster_tests.airbyte import scripted
from atlas_dagster_tests.airbyte.scripted import USERS
from atlas_dagster_tests.integration.project import (
    Project,
    ScriptedConnector,
    connection,
    day,
    noon,
    user,
)
from atlas_dagster_tests.subjects.support import catalogued

pytestmark = pytest.mark.slow

ORDERS = scripted.table("orders", {"id": {"type": "integer"}, "note": {"type": "string"}})


ETL, SECOND, THIRD = "atlas test etl", "atlas test second", "atlas test third"
ANALYST = "atlas test analyst"


@pytest.fixture
def logins(postgres: str) -> Iterator[None]:
    """Roles that can sign in, and have no other right. They go after the database."""
    if os.environ.get("ATLAS_TEST_POSTGRES_URL"):
        pytest.skip("roles without a password sign in to a server of the tests' own alone")
    with psycopg.connect(postgres, autocommit=True) as admin:
        for name in (ETL, SECOND, THIRD, ANALYST):
            admin.execute(sql.SQL("create role {} login").format(sql.Identifier(name)))
    yield
    with psycopg.connect(postgres, autocommit=True) as admin:
        every = (ETL, SECOND, THIRD, ANALYST, "atlas_writer", "atlas_reader")
        names = sql.SQL(", ").join(map(sql.Identifier, every))
        admin.execute(sql.SQL("drop role if exists {}").format(names))


class Warehouse:
    """A project whose warehouse is signed in to as someone."""

    def __init__(self, project: Project, admin_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.project = project
        self.admin_url = admin_url
        self._monkeypatch = monkeypatch

    def url(self, role: str | None) -> str:
        name = (role or "postgres").replace(" ", "%20")
        return self.admin_url.replace("postgres@", f"{name}@", 1)

    def act_as(self, role: str | None) -> None:
        self._monkeypatch.setenv("ATLAS_WAREHOUSE_URL", self.url(role))

    def create_roles(self, *arguments: str) -> list[str]:
        self.act_as(None)
        result = CliRunner().invoke(roles, ["create", *arguments], catch_exceptions=False)
        assert result.exit_code == 0
        return result.output.splitlines()

    def configure(self, *streams: str, **rules: object) -> None:
        """The streams that are synced, and the rules of the users' history."""
        users = {"retention_days": 1, **rules}
        append = {"destination_sync_mode": "append", "primary_key": "id"}
        synced = [{"name": name, **append} for name in streams]
        self.project.connect(
            {"shop": connection("shop", synced)}, shop={"streams": {"users": users}}
        )

    def say(self, *steps: scripted.Json) -> None:
        (executable,) = self.project.root.glob(".atlas/connectors/*/bin/source-shop")
        ScriptedConnector(executable.parent).say(*steps)

    def run(self, job: str = "shop", partition: str | None = None) -> None:
        """Sync and build the layers, storage of Dagster included."""
        with dg.DagsterInstance.from_config(str(self.project.root)) as instance:
            defs = build_code_location()
            resolved = defs.resolve_job_def(job)
            chosen = None if job.endswith("_sync") else partition or day()
            assert resolved.execute_in_process(instance=instance, partition_key=chosen).success

    def ask(self, role: str | None, query: str) -> list[tuple[object, ...]]:
        """As a plain client does: psql, a notebook."""
        with psycopg.connect(self.url(role)) as client:
            done = client.execute(query.encode())
            return done.fetchall() if done.description else []

    def refuses(self, role: str, query: str) -> bool:
        try:
            self.ask(role, query)
        except psycopg.errors.InsufficientPrivilege:
            return True
        return False

    def rights(self, role: str) -> Finding:
        """What `atlas doctor` says of them."""
        self.act_as(role)
        every = look_at_postgres(load_settings())
        (found,) = [each for each in every if each.what == "rights"]
        return found

    def owners(self) -> set[str]:
        """Who owns what lies in our schemas and in Dagster's."""
        rows = self.ask(
            None,
            "select distinct pg_get_userbyid(relowner) from pg_class"
            " join pg_namespace as schema on schema.oid = relnamespace where nspname in"
            " ('pipeline', 'landing', 'explore', 'chart', 'navigate', 'public')",
        )
        return {str(owner) for (owner,) in rows}


@pytest.fixture
def shop(
    logins: None, tmp_path: Path, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Warehouse:
    """A project of one connection, and a database with nothing in it."""
    project = Project(tmp_path, empty_database_url)
    for name, value in project.variables.items():
        monkeypatch.setenv(name, value)
    project.copy_dagster_files()
    shop = Warehouse(project, empty_database_url, monkeypatch)
    shop.configure("users")
    project.install("shop", USERS, ORDERS)
    shop.say(user(1, "Anna", day(9)), user(1, "Anne", day()), user(2, "Ben", day()))
    return shop


def test_a_writer_migrates_syncs_builds_and_purges_a_fresh_database(
    shop: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = warehouse_module._migrations()
    monkeypatch.setattr(warehouse_module, "_migrations", lambda: known[:12])
    told = shop.create_roles("--writer", ETL)
    assert told[0] == "atlas_writer: made; owns chart, explore, navigate, pipeline"
    assert told[-1] == f"{ETL}: is in atlas_writer"
    shop.act_as(ETL)
    monkeypatch.setattr(warehouse_module, "_migrations", lambda: known)
    with connect(shop.url(ETL)) as connection:
        assert migrate(connection) == [each.name for each in known[12:]]
    engine = AtlasStorage(storage_url(load_settings()), None)._run_storage._engine
    for _ in range(2):
        with engine.connect() as session:
            assert session.exec_driver_sql("select current_user").scalar() == "atlas_writer"
    engine.dispose()
    shop.run("shop_sync")
    shop.run("shop_layers", day(9))
    shop.run("shop_layers", day())
    assert shop.ask(ETL, "select count(*) from navigate.shop__users") == [(3,)]
    assert "1 version of 1 day" in CliRunner().invoke(retention, []).output
    assert shop.ask(ETL, "select count(*) from explore.shop__users") == [(2,)]
    assert shop.owners() == {"atlas_writer"}


def test_a_reader_reads_results_and_nothing_else_now_and_later(shop: Warehouse) -> None:
    shop.create_roles("--writer", ETL, "--reader", ANALYST)
    shop.act_as(ETL)
    shop.run()
    may_read = [
        "chart.shop__users",
        "navigate.shop__users",
        "navigate.shop__users_current",
        "navigate.shop__users_as_of(now())",
        *(f"pipeline.{table}" for table in READABLE_STATE),
    ]
    for relation in may_read:
        shop.ask(ANALYST, f"select * from {relation}")
    for relation in ("explore.shop__users", "landing.shop__users"):
        assert shop.refuses(ANALYST, f"select * from {relation}")
    state = shop.ask(
        None,
        "select relname from pg_class where relkind = 'r'"
        " and relnamespace = 'pipeline'::regnamespace",
    )
    assert len(state) > 20
    for (table,) in state:
        refused = shop.refuses(ANALYST, f"select * from pipeline.{table}")
        assert refused == (table not in READABLE_STATE), table
    assert shop.refuses(ANALYST, "select * from public.runs")
    assert shop.refuses(ANALYST, "update navigate.shop__users set name = 'x'")
    assert shop.refuses(ANALYST, "create table navigate.mine (id int)")

    shop.configure("users", "orders", ignore=["name"])  # another stream, and navigate built anew
    shop.say(user(1, "Anna", day()), scripted.record("orders", {"id": 1}, at=noon(day())))
    shop.run()
    for relation in (*may_read, "navigate.shop__orders", "chart.shop__orders"):
        shop.ask(ANALYST, f"select * from {relation}")
    assert shop.refuses(ANALYST, "select * from explore.shop__orders")


def test_what_a_superuser_made_before_is_handed_over(
    shop: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.run()
    shop.ask(None, "create view navigate.mine as select id from navigate.shop__users")
    with psycopg.connect(shop.url(None), autocommit=True) as admin:
        admin.execute(
            sql.SQL("create schema mart authorization {}").format(sql.Identifier(ANALYST))
        )
    told = rf"role {ETL}: permission denied .* --writer {ETL}"
    with connect(shop.url(ETL)) as client, pytest.raises(WarehouseError, match=told):
        migrate(client)
    dry = shop.create_roles("--dry-run", "--writer", ETL)
    assert {"begin;", "commit;", 'create role "atlas_writer" nologin;'} <= {*dry}
    assert shop.ask(None, "select count(*) from pg_roles where rolname = 'atlas_writer'") == [(0,)]
    monkeypatch.setattr(cli_roles, "STATEMENTS_A_TRANSACTION", 10)  # several, as with many streams
    monkeypatch.setattr(cli_roles, "LOCK_SECONDS", 1)
    with psycopg.connect(shop.url(None)) as run:
        run.execute("lock table navigate.shop__users")
        with pytest.raises(BusyError, match="a run holds a table for more than 1 s; try again"):
            shop.create_roles()
    told = shop.create_roles("--writer", ETL, "--writer", SECOND, "--reader", ANALYST)
    assert any("took over" in each for each in told)
    assert "left as it is: navigate.mine of postgres" in told
    again = shop.create_roles()
    assert again[0].startswith("atlas_writer: was there; owns chart, explore, landing, navigate")
    assert not any("took over" in each for each in again)
    assert shop.owners() == {"atlas_writer", "postgres"}  # the view
    with psycopg.connect(shop.url(None), autocommit=True) as admin:
        admin.execute("drop view navigate.mine")
    for number, role in enumerate((None, SECOND)):  # each goes on with what another made
        shop.act_as(role)
        shop.configure("users", **({"ignore": ["name"]} if number % 2 else {}))
        shop.say(user(1, f"Anna {number}", day()))
        shop.run()
        assert shop.owners() == {"atlas_writer"}
    shop.ask(ANALYST, "select * from navigate.shop__users_current")

    with psycopg.connect(shop.url(ANALYST), autocommit=True) as analyst:
        analyst.execute("create view mart.names as select name from navigate.shop__users")
    shop.configure("users")
    with pytest.raises(Exception, match=r"view mart\.names stands on a table that has to be built"):
        shop.run()


@contextmanager
def administered_by(shop: Warehouse, login: str) -> Iterator[None]:
    """Somebody who owns the database, may make roles, and is no superuser."""
    with psycopg.connect(shop.url(None), autocommit=True) as admin:
        name, database = sql.Identifier(login), sql.Identifier(admin.info.dbname)
        admin.execute(sql.SQL("alter role {} createrole").format(name))
        admin.execute(sql.SQL("alter database {} owner to {}").format(database, name))
        shop.act_as(login)
        try:
            yield
        finally:
            admin.execute(sql.SQL("alter database {} owner to postgres").format(database))


def test_an_administrator_need_not_be_a_superuser(shop: Warehouse) -> None:
    with administered_by(shop, ETL):
        shop.run()
        result = CliRunner().invoke(roles, ["create", "--writer", SECOND], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        assert shop.owners() == {"atlas_writer"}
        shop.act_as(SECOND)
        shop.run()
        told = "run it as a superuser, or as a role with CREATEROLE"
        with pytest.raises(WarehouseError, match=told):
            CliRunner().invoke(roles, ["create"], catch_exceptions=False)


def test_the_webserver_acts_as_the_group_too(shop: Warehouse) -> None:
    with psycopg.connect(shop.url(None), autocommit=True) as admin:
        admin.execute(sql.SQL("alter role {} noinherit").format(sql.Identifier(ETL)))
    shop.create_roles("--writer", ETL)
    shop.act_as(ETL)
    with dg.DagsterInstance.from_config(str(shop.project.root)) as instance:
        instance.optimize_for_webserver(15000, pool_recycle=3600, max_overflow=20)
        assert instance.get_runs_count() == 0
        assert instance.all_instigator_state() == []
        assert instance.all_asset_keys() == []


def test_readers_do_not_see_through_the_views_of_others(shop: Warehouse) -> None:
    shop.run()
    shop.ask(None, "create view navigate.raw as select data from explore.shop__users")
    shop.ask(None, "create table chart.private (note text)")
    for _ in range(2):
        told = shop.create_roles("--reader", ANALYST)
        left = [each for each in told if each.startswith("left as it is: ")]
        assert left == [
            "left as it is: chart.private of postgres",
            "left as it is: navigate.raw of postgres",
        ]
        for relation in ("chart.private", "navigate.raw"):
            assert shop.refuses(ANALYST, f"select * from {relation}")
        for layer in ("chart", "navigate"):
            shop.ask(ANALYST, f"select * from {layer}.shop__users")
        shop.ask(None, "grant select on navigate.raw to atlas_reader")


def test_what_another_has_in_a_layer_hinders_no_administrator(shop: Warehouse) -> None:
    with administered_by(shop, ETL):
        create = ("create", "--writer", SECOND, "--reader", ANALYST)
        assert CliRunner().invoke(roles, create).exit_code == 0
        shop.act_as(SECOND)
        shop.run()
        schema = "grant usage, create on schema chart to {}"
        with psycopg.connect(shop.url(None), autocommit=True) as admin:
            admin.execute(sql.SQL(schema).format(sql.Identifier(THIRD)))
        shop.ask(THIRD, "create table chart.private (note text)")
        shop.act_as(ETL)
        again = CliRunner().invoke(roles, create, catch_exceptions=False)
        assert again.exit_code == 0, again.output
        assert f"left as it is: chart.private of {THIRD}" in again.output.splitlines()
        assert shop.refuses(ANALYST, "select * from chart.private")
        shop.ask(ANALYST, "select * from chart.shop__users")


def test_the_doctor_fails_for_what_this_takes_over_alone(shop: Warehouse) -> None:
    with connect(shop.url(None)) as admin:
        migrate(admin)
        (stream,) = catalogued(admin, {"users": {"id": {"type": "integer"}}})
        register_stream(admin, stream)
    shop.create_roles("--writer", ETL)
    able = f"role {ETL} may do what runs do"
    assert shop.rights(ETL) == well("rights", able)
    shop.ask(None, "create view navigate.by_bi as select 1 as x")
    left = "; not Atlas' own, and left as it is: 1 object, as navigate.by_bi of postgres"
    assert shop.rights(ETL) == well("rights", able + left)
    shop.ask(None, "create table navigate.crm__users (id int)")
    found = shop.rights(ETL)
    assert found.verdict is Verdict.FAIL
    said = "others own what Atlas made: 1 object, as navigate.crm__users of postgres; role"
    assert found.text.startswith(said)
    shop.create_roles()
    assert shop.rights(ETL) == well("rights", able + left)


def test_a_login_that_is_not_there_is_named(shop: Warehouse) -> None:
    with pytest.raises(ConfigError, match="there is no role nobody; make it first"):
        CliRunner().invoke(roles, ["create", "--reader", "nobody"], catch_exceptions=False)


def test_what_an_airbyte_server_lands_stays_its_own_and_writers_read_it(shop: Warehouse) -> None:
    airbyte = SECOND
    with connect(shop.url(None)) as admin:
        migrate(admin)
        catalogued(admin, {"users": {"id": {"type": "integer"}}})
        admin.execute(
            sql.SQL("create schema landing authorization {}").format(sql.Identifier(airbyte))
        )
    with psycopg.connect(shop.url(None), autocommit=True) as admin:
        other = sql.Identifier(THIRD)
        admin.execute(sql.SQL("grant usage, create on schema landing to {}").format(other))
    shop.ask(THIRD, "create table landing.salaries (paid int)")
    shop.ask(airbyte, "create table landing.users (id int)")
    shop.ask(airbyte, "create table landing.earlier (id int)")
    told = shop.create_roles("--writer", ETL, "--reader", ANALYST)
    assert f"atlas_writer: reads landing, where {airbyte} lands" in told
    shop.ask(airbyte, "create table landing.later (id int)")
    assert shop.refuses(ETL, "select * from landing.salaries")
    for table in ("users", "earlier", "later"):
        assert shop.ask(ETL, f"select * from landing.{table}") == []
        assert shop.refuses(ETL, f"insert into landing.{table} values (1)")
        assert shop.refuses(ANALYST, f"select * from landing.{table}")
