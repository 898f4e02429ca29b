"""Explore takes every landed record version, once, whatever day it claims to be of."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest
from psycopg import sql
from typing_extensions import LiteralString

from atlas_dagster.catalog import Table
from atlas_dagster.errors import WarehouseError
from atlas_dagster.layers.explore import load_explore
from atlas_dagster.warehouse import PgConnection, connect, identifier
from atlas_dagster_tests.layers.support import (
    at,
    create_landing,
    insert_explore,
    land,
    load,
    make_stream,
    rows,
    start_layers,
)
from atlas_dagster_tests.properties.oracle import Version
from atlas_dagster_tests.properties.player import swap_landing

STREAM = make_stream({"id": {"type": "integer"}, "name": {"type": "string"}})
LANDING = identifier(STREAM.landing)


def version(raw_id: str, day: int = 1, /, **data: object) -> Version:
    return Version(raw_id, at(day), {"id": 1, "name": "Ann", **data})


def explored(connection: PgConnection) -> list[str]:
    return [row["_airbyte_raw_id"] for row in rows(connection, STREAM, "explore")]


def test_a_landed_row_becomes_a_record_version(warehouse: PgConnection) -> None:
    create_landing(warehouse, STREAM)
    land(warehouse, STREAM, [replace(version("a", name=None), sync_id=7)])
    result = load_explore(warehouse, STREAM, "run 1")
    (row,) = rows(warehouse, STREAM, "explore")
    loaded_at = row.pop("_atlas_loaded_at")
    assert loaded_at is not None
    assert row == {
        "_airbyte_raw_id": "a",
        "_airbyte_extracted_at": at(1),
        "_airbyte_generation_id": 0,
        "_airbyte_meta": {"sync_id": 7, "changes": []},
        "_atlas_sync_id": 7,
        "_atlas_run_id": "run 1",
        "_atlas_partition": at(1).date(),
        "data": {"id": 1, "name": None},
    }
    assert (result.days, result.rows, result.total) == ({at(1).date(): 1}, 1, 1)


def test_a_day_ends_at_midnight_utc_whatever_zone_the_session_is_in(
    warehouse: PgConnection,
) -> None:
    create_landing(warehouse, STREAM)
    edge = at(1, 23, 59, 999_999)
    land(warehouse, STREAM, [Version("a", edge, {}), Version("b", at(2), {})])
    warehouse.execute("set timezone = 'Pacific/Kiritimati'")
    assert load(warehouse, STREAM).days == {at(1).date(): 1, at(2).date(): 1}


def test_late_rows_of_an_old_day_are_taken(warehouse: PgConnection) -> None:
    create_landing(warehouse, STREAM)
    land(warehouse, STREAM, [version("a", 20)])
    load(warehouse, STREAM)
    for number in range(30):  # other work goes on meanwhile
        warehouse.execute("select pg_current_xact_id()")
        land(warehouse, STREAM, [version(f"b{number:02}", 1)])
        assert load(warehouse, STREAM).days == {at(1).date(): 1}
    assert len(explored(warehouse)) == 31


def test_a_load_with_nothing_new_changes_nothing(warehouse: PgConnection) -> None:
    create_landing(warehouse, STREAM)
    land(warehouse, STREAM, [version("a")])
    load(warehouse, STREAM)
    before = rows(warehouse, STREAM, "explore")
    result = load(warehouse, STREAM)
    assert (result.days, result.rows, result.total) == ({}, 0, 1)
    assert rows(warehouse, STREAM, "explore") == before


@pytest.mark.parametrize("first_load", [True, False], ids=["in the first load", "later"])
def test_a_raw_id_delivered_twice_is_one_version(warehouse: PgConnection, first_load: bool) -> None:
    create_landing(warehouse, STREAM)
    if not first_load:
        load(warehouse, STREAM)
    land(warehouse, STREAM, [version("a"), version("b"), version("a")])
    assert load(warehouse, STREAM).rows == 2
    land(warehouse, STREAM, [version("a", name="Bob"), version("c")])
    assert load(warehouse, STREAM).rows == 1
    assert explored(warehouse) == ["a", "b", "c"]
    assert {row["data"]["name"] for row in rows(warehouse, STREAM, "explore")} == {"Ann"}


def test_an_overwrite_swap_brings_new_rows_and_loses_none_of_the_old(
    warehouse: PgConnection,
) -> None:
    create_landing(warehouse, STREAM)
    land(warehouse, STREAM, [version("a")])
    load(warehouse, STREAM)
    warehouse.execute(sql.SQL("truncate {}").format(LANDING))
    land(warehouse, STREAM, [version("b")])
    swap_landing(warehouse, STREAM)
    load(warehouse, STREAM)
    assert explored(warehouse) == ["a", "b"]


def test_a_swap_brings_rows_that_were_written_before_the_last_load(
    warehouse: PgConnection,
) -> None:
    create_landing(warehouse, STREAM)
    land(warehouse, STREAM, [version("a")])
    warehouse.execute(sql.SQL("create table landing.filled (like {})").format(LANDING))
    warehouse.execute(
        sql.SQL(
            "insert into landing.filled select 'b', _airbyte_extracted_at,"
            " _airbyte_meta, 1, 2, 'Bea' from {}"
        ).format(LANDING)
    )
    load(warehouse, STREAM)
    with warehouse.transaction():
        warehouse.execute(sql.SQL("drop table {}").format(LANDING))
        warehouse.execute("alter table landing.filled rename to users")
    load(warehouse, STREAM)
    assert explored(warehouse) == ["a", "b"]


def test_a_row_that_dedup_updates_in_place_is_a_new_version(warehouse: PgConnection) -> None:
    create_landing(warehouse, STREAM)
    land(warehouse, STREAM, [version("a")])
    load(warehouse, STREAM)
    warehouse.execute(sql.SQL("update {} set _airbyte_raw_id = 'b', name = 'Bea'").format(LANDING))
    load(warehouse, STREAM)
    assert explored(warehouse) == ["a", "b"]


def test_rows_of_a_transaction_that_was_open_during_a_load_are_taken_by_the_next(
    warehouse: PgConnection, warehouse_url: str
) -> None:
    create_landing(warehouse, STREAM)
    with connect(warehouse_url) as sync:
        with sync.transaction():
            sync.execute(  # without a savepoint: by the oldest transaction of all
                sql.SQL("insert into {} values ('slow', '2024-01-01', '{{}}', 0)").format(LANDING)
            )
            land(warehouse, STREAM, [version("quick")])
            load(warehouse, STREAM)
            with sync.transaction():  # a savepoint has a transaction id of its own
                land(sync, STREAM, [version("slower")])
            load(warehouse, STREAM)
        assert explored(warehouse) == ["quick"]
        assert load(warehouse, STREAM).rows == 2


@pytest.mark.parametrize("upkeep", ["vacuum (freeze)", "vacuum (full, freeze)"])
def test_rows_that_vacuum_froze_before_the_load_are_taken(
    warehouse: PgConnection, upkeep: LiteralString
) -> None:
    create_landing(warehouse, STREAM)
    land(warehouse, STREAM, [version("a")])
    load(warehouse, STREAM)
    land(warehouse, STREAM, [version("b")])
    warehouse.execute(sql.SQL(upkeep + " {}").format(LANDING))
    load(warehouse, STREAM)
    assert explored(warehouse) == ["a", "b"]


def test_a_column_that_landing_gains_is_in_the_versions_that_follow(
    warehouse: PgConnection,
) -> None:
    create_landing(warehouse, STREAM)
    land(warehouse, STREAM, [version("a")])
    load(warehouse, STREAM)
    wider = make_stream(
        {"id": {"type": "integer"}, "name": {"type": "string"}, "Café!": {"type": "string"}}
    )
    warehouse.execute(sql.SQL('alter table {} add column "Cafe_" varchar').format(LANDING))
    land(warehouse, wider, [version("b", **{"Café!": "yes"})])
    load(warehouse, wider)
    first, second = (row["data"] for row in rows(warehouse, STREAM, "explore"))
    assert first == {"id": 1, "name": "Ann"}
    assert second == {"id": 1, "name": "Ann", "Café!": "yes"}


def test_landing_without_a_table_is_one_sentence(warehouse: PgConnection) -> None:
    with pytest.raises(WarehouseError) as error:
        load(warehouse, STREAM)
    assert str(error.value) == "crm/users: no table landing.users; sync the connection first"


@pytest.mark.parametrize("column", ["_airbyte_raw_id", "_airbyte_extracted_at"])
def test_a_landing_table_that_is_not_airbytes_is_one_sentence(
    warehouse: PgConnection, column: str
) -> None:
    create_landing(warehouse, STREAM)
    warehouse.execute(
        sql.SQL("alter table {} drop column {}").format(LANDING, sql.Identifier(column))
    )
    with pytest.raises(WarehouseError) as error:
        load(warehouse, STREAM)
    assert str(error.value) == f"crm/users: landing.users has no column {column}"


def test_a_load_that_fails_leaves_nothing(warehouse: PgConnection) -> None:
    with pytest.raises(WarehouseError):
        load(warehouse, STREAM)
    assert warehouse.execute("select count(*) from pipeline.stream").fetchone() == (0,)


def test_a_table_that_belongs_to_another_stream_is_not_touched(warehouse: PgConnection) -> None:
    create_landing(warehouse, STREAM)
    load(warehouse, STREAM)
    warehouse.execute("update pipeline.stream set stream = 'others'")
    with pytest.raises(WarehouseError) as error:
        load(warehouse, STREAM)
    assert str(error.value) == "table crm__users belongs to another stream already"


def test_rows_without_a_sync_id_are_taken(warehouse: PgConnection) -> None:
    create_landing(warehouse, STREAM)
    land(warehouse, STREAM, [version("a")])
    warehouse.execute(sql.SQL("update {} set _airbyte_meta = '{{}}'").format(LANDING))
    load(warehouse, STREAM)
    assert [row["_atlas_sync_id"] for row in rows(warehouse, STREAM, "explore")] == [None]


def test_the_database_refuses_a_second_row_of_a_raw_id_and_a_wrong_day(
    warehouse: PgConnection,
) -> None:
    start_layers(warehouse, STREAM)
    insert_explore(warehouse, STREAM, [version("a")])
    table = identifier(Table("explore", STREAM.table_name))
    with pytest.raises(psycopg.errors.UniqueViolation):
        insert_explore(warehouse, STREAM, [version("a", 2)])
    with pytest.raises(psycopg.errors.CheckViolation):
        warehouse.execute(sql.SQL("update {} set _atlas_partition = '2024-01-02'").format(table))
