"""What an operator reads when a step fails, and which failures are tried again."""

from __future__ import annotations

import dagster as dg
import psycopg
import pytest

from atlas_dagster.assets.errors import operator_errors
from atlas_dagster.errors import AtlasError, BusyError, ConfigError, ConnectorError, WarehouseError
from atlas_dagster.warehouse import PgConnection, connect


def failure_of(error: Exception) -> dg.Failure:
    with pytest.raises(dg.Failure) as caught, operator_errors("chart shop/users"):
        raise error
    return caught.value


@pytest.mark.parametrize("kind", [ConfigError, ConnectorError, WarehouseError])
def test_an_error_of_atlas_is_its_sentence_and_is_not_tried_again(kind: type[AtlasError]) -> None:
    failure = failure_of(kind("config/atlas.yaml:3: no such column"))
    assert failure.description == "config/atlas.yaml:3: no such column"
    assert not failure.allow_retries
    assert failure.__suppress_context__, "its trace would tell nothing more"


def test_a_busy_connection_is_tried_again() -> None:
    assert failure_of(BusyError("connection shop is being synced by another run")).allow_retries


def test_a_server_that_is_not_reachable_is_tried_again() -> None:
    with pytest.raises(dg.Failure) as caught, operator_errors("explore shop/users"):
        connect("postgresql://nobody@127.0.0.1:1/none?connect_timeout=2")
    assert str(caught.value.description).startswith("PostgreSQL is not reachable: ")
    assert "\n" not in str(caught.value.description)
    assert caught.value.allow_retries


def test_a_lost_connection_is_tried_again(warehouse: PgConnection, warehouse_url: str) -> None:
    with connect(warehouse_url) as other:
        other.execute("select pg_terminate_backend(%s)", (warehouse.info.backend_pid,))
    with pytest.raises(dg.Failure) as caught, operator_errors("chart shop/users"):
        warehouse.execute("select 1")
    assert caught.value.description == (
        "chart shop/users: PostgreSQL went away:"
        " terminating connection due to administrator command"
    )
    assert caught.value.allow_retries
    with pytest.raises(dg.Failure) as again, operator_errors("chart shop/users"):
        warehouse.execute("select 1")
    assert again.value.allow_retries


def test_a_deadlock_is_tried_again() -> None:
    failure = failure_of(psycopg.errors.DeadlockDetected("deadlock detected"))
    assert failure.description == "chart shop/users: PostgreSQL could not do it: deadlock detected"
    assert failure.allow_retries


def test_what_postgres_refuses_is_one_line_and_is_not_tried_again(
    warehouse: PgConnection,
) -> None:
    with pytest.raises(dg.Failure) as caught, operator_errors("chart shop/users"):
        warehouse.execute("select * from nowhere")
    assert caught.value.description == (
        'chart shop/users: PostgreSQL refused: relation "nowhere" does not exist'
    )
    assert not caught.value.allow_retries


def test_an_error_of_the_code_itself_keeps_its_trace() -> None:
    with pytest.raises(ZeroDivisionError), operator_errors("chart shop/users"):
        raise ZeroDivisionError
