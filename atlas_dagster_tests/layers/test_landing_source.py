"""The shapes in which Airbyte's Postgres destination has left data, release by release."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from atlas_dagster.catalog import Stream, Table
from atlas_dagster.errors import WarehouseError
from atlas_dagster.layers.landing_source import find_landing
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.layers.support import at, load, make_stream, rows

STREAM = make_stream({"id": {"type": "integer"}, "name": {"type": "string"}})
RECORD = {"id": 1, "name": "Ann"}
META = {"sync_id": 7, "changes": []}


@pytest.fixture(autouse=True)
def no_raw_tables(warehouse: PgConnection) -> None:
    warehouse.execute("drop schema if exists airbyte_internal cascade")


def typed_v3(connection: PgConnection, raw_id: str = "typed") -> None:
    connection.execute("create schema if not exists landing")
    connection.execute(
        """
        create table landing.users (
            _airbyte_raw_id varchar not null,
            _airbyte_extracted_at timestamptz not null,
            _airbyte_meta jsonb not null,
            _airbyte_generation_id bigint,
            id bigint,
            name varchar
        )
        """
    )
    connection.execute(
        "insert into landing.users values (%s, %s, %s, 3, 1, 'Ann')", (raw_id, at(1), Jsonb(META))
    )


def raw_v3(connection: PgConnection, raw_id: str = "raw") -> None:
    """With ``disable_type_dedupe``: ``_airbyte_loaded_at`` stands before the data."""
    connection.execute("create schema if not exists airbyte_internal")
    connection.execute(
        """
        create table airbyte_internal.landing_raw__stream_users (
            _airbyte_raw_id varchar not null,
            _airbyte_extracted_at timestamptz not null,
            _airbyte_meta jsonb not null,
            _airbyte_generation_id bigint,
            _airbyte_loaded_at timestamptz,
            _airbyte_data jsonb not null
        )
        """
    )
    connection.execute(
        "insert into airbyte_internal.landing_raw__stream_users values (%s, %s, %s, 3, null, %s)",
        (raw_id, at(1), Jsonb(META), Jsonb(RECORD)),
    )


def raw_v2(connection: PgConnection, raw_id: str = "raw") -> None:
    """Of before 2.0.5: no meta and no generation yet."""
    connection.execute("create schema if not exists airbyte_internal")
    connection.execute(
        """
        create table airbyte_internal.landing_raw__stream_users (
            _airbyte_raw_id varchar primary key,
            _airbyte_data jsonb,
            _airbyte_extracted_at timestamptz default now(),
            _airbyte_loaded_at timestamptz
        )
        """
    )
    connection.execute(
        "insert into airbyte_internal.landing_raw__stream_users values (%s, %s, %s)",
        (raw_id, Jsonb(RECORD), at(1)),
    )


def raw_v1(connection: PgConnection, raw_id: str = "v1") -> None:
    connection.execute("create schema if not exists landing")
    connection.execute(
        """
        create table landing._airbyte_raw_users (
            _airbyte_ab_id varchar primary key,
            _airbyte_data jsonb,
            _airbyte_emitted_at timestamptz
        )
        """
    )
    connection.execute(
        "insert into landing._airbyte_raw_users values (%s, %s, %s)",
        (raw_id, Jsonb(RECORD), at(1)),
    )


def explored(connection: PgConnection, stream: Stream = STREAM) -> list[dict[str, Any]]:
    load(connection, stream)
    found = rows(connection, stream, "explore")
    kept = ("_airbyte_raw_id", "_airbyte_extracted_at", "_airbyte_generation_id", "_airbyte_meta")
    return [{name: row[name] for name in (*kept, "_atlas_sync_id", "data")} for row in found]


def version(raw_id: str, *, generation: int | None, meta: dict[str, Any]) -> dict[str, Any]:
    return {
        "_airbyte_raw_id": raw_id,
        "_airbyte_extracted_at": at(1),
        "_airbyte_generation_id": generation,
        "_airbyte_meta": meta,
        "_atlas_sync_id": meta.get("sync_id"),
        "data": RECORD,
    }


def test_a_typed_table_of_v3(warehouse: PgConnection) -> None:
    typed_v3(warehouse)
    assert explored(warehouse) == [version("typed", generation=3, meta=META)]


def test_a_raw_table_of_v3_where_the_destination_types_nothing(warehouse: PgConnection) -> None:
    raw_v3(warehouse)
    typed_v3(warehouse)  # left from before the destination was told so
    raw_only = replace(STREAM, raw_only=True)
    assert explored(warehouse, raw_only) == [version("raw", generation=3, meta=META)]


def test_a_stale_raw_table_beside_a_typed_one_is_left_alone(warehouse: PgConnection) -> None:
    raw_v2(warehouse)
    typed_v3(warehouse)
    assert explored(warehouse) == [version("typed", generation=3, meta=META)]


def test_a_raw_table_of_v2_without_a_typed_one(warehouse: PgConnection) -> None:
    raw_v2(warehouse)
    assert explored(warehouse) == [version("raw", generation=None, meta={})]


def test_a_raw_table_of_v1(warehouse: PgConnection) -> None:
    raw_v1(warehouse)
    assert explored(warehouse) == [version("v1", generation=None, meta={})]


def test_a_raw_row_without_time_and_data_is_an_empty_record_of_1970(
    warehouse: PgConnection,
) -> None:
    raw_v2(warehouse)
    warehouse.execute(
        "update airbyte_internal.landing_raw__stream_users"
        " set _airbyte_extracted_at = null, _airbyte_data = null"
    )
    (row,) = explored(warehouse)
    assert (row["_airbyte_extracted_at"].year, row["data"]) == (1970, {})


@pytest.mark.parametrize("sync_id", [1.5, 1e30, -1, "x", None, [1]])
def test_a_sync_id_that_is_no_job_is_none(warehouse: PgConnection, sync_id: Any) -> None:
    typed_v3(warehouse)
    warehouse.execute("update landing.users set _airbyte_meta = %s", (Jsonb({"sync_id": sync_id}),))
    (row,) = explored(warehouse)
    assert row["_atlas_sync_id"] is None


def test_tables_that_a_destination_has_not_swapped_in_yet_are_left_alone(
    warehouse: PgConnection,
) -> None:
    typed_v3(warehouse)
    warehouse.execute(
        "create table landing.users_airbyte_tmp as select * from landing.users;"
        "create table landing._atlas_swap_0 as select * from landing.users;"
        "update landing.users_airbyte_tmp set _airbyte_raw_id = 'temporary'"
    )
    assert [row["_airbyte_raw_id"] for row in explored(warehouse)] == ["typed"]


def test_an_upgrade_from_raw_to_typed_takes_what_is_new(warehouse: PgConnection) -> None:
    raw_v2(warehouse, "first")
    explored(warehouse)
    typed_v3(warehouse, "second")
    assert [row["_airbyte_raw_id"] for row in explored(warehouse)] == ["first", "second"]


def test_raw_only_without_its_table_is_one_sentence(warehouse: PgConnection) -> None:
    typed_v3(warehouse)
    with pytest.raises(WarehouseError) as error:
        find_landing(warehouse, replace(STREAM, raw_only=True))
    assert str(error.value) == (
        "crm/users: no table airbyte_internal.landing_raw__stream_users; sync the connection first"
    )


@pytest.mark.parametrize(
    ("namespace", "name", "raw"),
    [
        ("public", "users", "public_raw__stream_users"),
        ("public", "my__stream", "public_raw___stream_my__stream"),
        ("Public", "Users", "public_raw__stream_users"),
    ],
)
def test_raw_tables_have_the_names_that_airbyte_gives_them(
    namespace: str, name: str, raw: str
) -> None:
    stream = replace(STREAM, landing=Table(namespace, name))
    assert stream.raw_landing == Table("airbyte_internal", raw)
