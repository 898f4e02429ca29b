"""Dagster's storage on our PostgreSQL: what `dagster.yaml` builds, by the settings alone."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dagster as dg
import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from atlas_dagster import dagster_storage
from atlas_dagster.dagster_storage import storage_url
from atlas_dagster.errors import WarehouseError
from atlas_dagster.settings import load_settings
from atlas_dagster.warehouse import connect
from atlas_dagster_tests.pooler import pgbouncer

PROJECT = Path(__file__).parent.parent


@pytest.fixture
def home(tmp_path: Path, empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the project's own dagster.yaml lies, for a database of its own."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(PROJECT / "dagster.yaml", home)
    monkeypatch.setenv("ATLAS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ATLAS_WAREHOUSE_URL", empty_database_url)
    monkeypatch.delenv("ATLAS_DAGSTER_URL", raising=False)
    return home


@pytest.fixture
def instance(home: Path) -> Iterator[dg.DagsterInstance]:
    """An instance on a database of its own."""
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield instance


@dg.asset
def something() -> dg.MaterializeResult[Any]:
    return dg.MaterializeResult(metadata={"rows": 7})


def test_runs_and_events_are_kept_in_the_warehouse(
    instance: dg.DagsterInstance, empty_database_url: str
) -> None:
    assert dg.materialize([something], instance=instance).success
    event = instance.get_latest_materialization_event(something.key)
    assert event is not None
    with connect(empty_database_url) as connection:
        assert connection.execute("select status from public.runs").fetchall() == [("SUCCESS",)]


def test_its_sessions_can_be_told_from_others(
    instance: dg.DagsterInstance, empty_database_url: str
) -> None:
    assert dg.materialize([something], instance=instance).success
    with connect(empty_database_url) as connection:
        names = connection.execute(
            "select distinct application_name from pg_stat_activity where pid = any(%s)",
            (storage_sessions(empty_database_url),),
        ).fetchall()
    assert ("dagster",) in names


def test_a_process_keeps_its_connections(
    instance: dg.DagsterInstance, empty_database_url: str
) -> None:
    assert dg.materialize([something], instance=instance).success
    kept = storage_sessions(empty_database_url)
    assert dg.materialize([something], instance=instance).success
    assert instance.all_instigator_state() == []
    assert kept
    assert storage_sessions(empty_database_url) == kept


def test_a_connection_that_was_lost_is_opened_again(
    instance: dg.DagsterInstance, empty_database_url: str
) -> None:
    assert dg.materialize([something], instance=instance).success
    lost = storage_sessions(empty_database_url)
    with connect(empty_database_url) as connection:
        connection.execute("select pg_terminate_backend(pid, 5000) from unnest(%s) pid", (lost,))
    assert dg.materialize([something], instance=instance).success
    assert not set(lost) & set(storage_sessions(empty_database_url))


def test_the_webserver_limits_the_time_of_its_own_statements(
    instance: dg.DagsterInstance, empty_database_url: str
) -> None:
    instance.optimize_for_webserver(200, pool_recycle=3600, max_overflow=20)
    assert instance.get_runs_count() == 0
    with psycopg.connect(empty_database_url) as other:
        other.execute("lock table public.runs")
        with pytest.raises(OperationalError, match="canceling statement due to statement timeout"):
            instance.get_runs_count()


def test_the_webserver_limits_nobody_who_shares_a_pooler_with_it(
    home: Path, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pgbouncer(empty_database_url, "transaction", size=1) as url:
        monkeypatch.setenv("ATLAS_WAREHOUSE_URL", url)
        with dg.DagsterInstance.from_config(str(home)) as instance:
            instance.optimize_for_webserver(15000, pool_recycle=3600, max_overflow=20)
            assert instance.get_runs_count() == 0
            assert instance.all_instigator_state() == []
            assert instance.get_latest_materialization_event(something.key) is None
            with connect(url) as layers:
                assert layers.execute("show statement_timeout").fetchone() == ("0",)


def test_a_serialized_instance_opens_the_same_storage(instance: dg.DagsterInstance) -> None:
    result = dg.materialize([something], instance=instance)
    with dg.DagsterInstance.from_ref(instance.get_ref()) as again:
        run = again.get_run_by_id(result.run_id)
    assert run is not None
    assert run.is_success


def test_the_instance_keeps_to_itself_and_to_its_limits(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    assert not instance.telemetry_enabled
    assert instance.run_monitoring_enabled
    pools = instance.get_concurrency_config().pool_config
    assert pools.pool_granularity
    assert (pools.default_pool_limit, str(pools.pool_granularity.value)) == (1, "run")
    assert Path(instance.storage_directory()).is_relative_to(tmp_path / "data" / "dagster")


def storage_sessions(url: str) -> list[int]:
    """The process ids of the sessions that the storage has open."""
    with connect(url) as connection:
        rows = connection.execute(
            "select pid from pg_stat_activity where datname = current_database()"
            " and backend_type = 'client backend' and pid <> pg_backend_pid() order by pid"
        ).fetchall()
    return [int(pid) for (pid,) in rows]


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_the_driver_is_named_and_the_rest_of_the_url_is_kept(scheme: str) -> None:
    given = f"{scheme}://user:p%40ss@host:5433/db?sslmode=require"
    settings = load_settings({"ATLAS_DAGSTER_URL": given})
    url = make_url(storage_url(settings))
    assert (url.drivername, url.password) == ("postgresql+psycopg2", "p@ss")
    assert (url.host, url.port, url.database) == ("host", 5433, "db")
    assert urlsplit(storage_url(settings)).query == "sslmode=require"


def test_a_server_that_does_not_answer_is_a_sentence(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATLAS_WAREHOUSE_URL", "postgresql://u:s3cret@127.0.0.1:1/atlas")
    with pytest.raises(WarehouseError, match=r"^PostgreSQL is not reachable: .*Connection refused"):
        dg.DagsterInstance.from_config(str(home))


def test_a_server_that_is_about_to_answer_is_waited_for(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starting = [WarehouseError("the database system is starting up")] * 2

    def answer(*given: Any, **named: Any) -> Any:
        if starting:
            raise starting.pop()
        return connect(*given, **named)

    monkeypatch.setattr(dagster_storage, "connect", answer)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert instance.get_runs() == []


def test_a_role_that_may_not_make_tables_is_a_sentence(
    home: Path, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.environ.get("ATLAS_TEST_POSTGRES_URL"):
        pytest.skip("a role without a password signs in to a server of the tests' own alone")
    role = f"atlas_test_{uuid.uuid4().hex[:12]}"
    with connect(empty_database_url) as connection:
        connection.execute(sql.SQL("create role {} login").format(sql.Identifier(role)))
        try:
            url = empty_database_url.replace("postgres@", f"{role}@")
            monkeypatch.setenv("ATLAS_WAREHOUSE_URL", url)
            with pytest.raises(WarehouseError) as error:
                dg.DagsterInstance.from_config(str(home))
        finally:
            connection.execute(sql.SQL("drop role {}").format(sql.Identifier(role)))
    assert str(error.value) == (
        f"role {role}: permission denied for schema public, where Dagster's tables are to be made;"
        f" let an administrator run: atlas roles create --writer {role}"
    )
