"""Columns in materializations: what each layer's table has, and where it comes from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import dagster as dg
import pytest

from atlas_dagster.assets.lineage import (
    LayerColumn,
    chart_columns,
    chart_metadata,
    explore_columns,
    explore_metadata,
    navigate_columns,
    navigate_metadata,
)
from atlas_dagster.catalog import Table
from atlas_dagster.layers.history_rules import history_rules
from atlas_dagster.rules import StreamRules
from atlas_dagster.warehouse import PgConnection, table_columns
from atlas_dagster_tests.layers.support import NO_RULES, build, make_stream, start_layers

DATED = {"type": "string", "format": "date-time"}
USERS = make_stream(
    {
        "id": {"type": "integer", "description": "who it is"},
        "E-Mail": {"type": "string"},
        "seen": DATED,
        "_atlas_x": {"type": "object"},
    }
)
HISTORY = history_rules(USERS, NO_RULES)
NO_KEY = replace(USERS, primary_key=())


def origins(columns: list[LayerColumn]) -> dict[str, tuple[str, ...]]:
    return {column.name: column.origins for column in columns}


def test_the_columns_told_are_those_of_the_tables(warehouse: PgConnection) -> None:
    start_layers(warehouse, USERS)
    build(warehouse, USERS)
    told = {
        "explore": explore_columns(USERS)[: -len(USERS.columns)],
        "chart": chart_columns(USERS, HISTORY),
        "navigate": navigate_columns(USERS),
    }
    for layer, columns in told.items():
        real = table_columns(warehouse, Table(layer, USERS.table_name))
        spelled = {c.name: c.type.replace("varchar", "character varying") for c in columns}
        assert list(spelled.items()) == list(real.items())


def test_every_origin_is_a_column_of_the_layer_before() -> None:
    explored, charted = explore_columns(USERS), chart_columns(USERS, HISTORY)
    for columns, upstream in ((charted, explored), (navigate_columns(USERS), charted)):
        known = {column.name for column in upstream}
        for column in columns:
            assert set(column.origins) <= known


def test_a_property_can_be_followed_from_landing_to_navigate() -> None:
    assert origins(explore_columns(USERS))["data.E-Mail"] == ("E_Mail",)
    assert origins(chart_columns(USERS, HISTORY))["E-Mail"] == ("data.E-Mail",)
    assert origins(navigate_columns(USERS))["E-Mail"] == ("E-Mail",)
    assert origins(explore_columns(USERS))["data._atlas_x"] == ("_atlas_x",)
    assert origins(chart_columns(USERS, HISTORY))["__atlas_x"] == ("data._atlas_x",)


def test_where_only_raw_tables_land_each_property_comes_from_their_one_column() -> None:
    explored = origins(explore_columns(replace(USERS, raw_only=True)))
    assert explored["data.id"] == explored["data"] == ("_airbyte_data",)
    assert explored["_airbyte_raw_id"] == ("_airbyte_raw_id",)


def test_the_key_and_the_hash_come_from_what_they_are_made_of() -> None:
    rules = StreamRules(natural_key=(("_atlas_x", "code"), ("id",)), ignore=frozenset({"seen"}))
    charted = origins(chart_columns(USERS, history_rules(USERS, rules)))
    assert charted["_atlas_natural_key"] == ("data.id", "data._atlas_x")
    assert charted["_atlas_row_hash"] == ("data.id", "data.E-Mail", "data._atlas_x")
    assert charted["_atlas_errors"] == ("data.id", "data.seen")


def test_without_a_key_the_whole_record_is_the_key() -> None:
    charted = origins(chart_columns(NO_KEY, history_rules(NO_KEY, NO_RULES)))
    everything = tuple(f"data.{column.name}" for column in USERS.columns)
    assert charted["_atlas_natural_key"] == everything


def test_validity_comes_from_the_extraction_time_or_from_the_time_column() -> None:
    assert origins(navigate_columns(USERS))["_atlas_valid_from"] == ("_atlas_instant",)
    plain = origins(chart_columns(USERS, HISTORY))
    assert plain["_atlas_instant"] == ("_airbyte_extracted_at",)
    dated = history_rules(USERS, StreamRules(time_column="seen"))
    assert origins(chart_columns(USERS, dated))["_atlas_instant"] == (
        "data.seen",
        "_airbyte_extracted_at",
    )


def test_a_cdc_source_decides_order_and_deletion() -> None:
    cdc = {"_ab_cdc_lsn": {"type": "integer"}, "_ab_cdc_deleted_at": DATED}
    stream = make_stream({"id": {"type": "integer"}, **cdc})
    charted = origins(chart_columns(stream, history_rules(stream, NO_RULES)))
    assert charted["_atlas_sequence"] == ("data._ab_cdc_lsn",)
    assert charted["_atlas_deleted"] == ("data._ab_cdc_deleted_at",)
    assert charted["_atlas_row_hash"] == ("data.id",)


def lineage(metadata: dict[str, Any], column: str) -> list[tuple[str, str]]:
    deps = metadata["dagster/column_lineage"].deps_by_column.get(column, [])
    return [(dep.asset_key.to_user_string(), dep.column_name) for dep in deps]


def described(metadata: dict[str, Any], column: str) -> str | None:
    columns = {c.name: c for c in metadata["dagster/column_schema"].columns}
    return columns[column].description


def test_dagster_is_told_the_lineage_by_asset() -> None:
    explored, charted = explore_metadata(USERS), chart_metadata(USERS, HISTORY, {})
    assert lineage(explored, "data.id") == [("airbyte/crm/users", "id")]
    assert lineage(charted, "id") == [("explore/crm/users", "data.id")]
    assert lineage(navigate_metadata(USERS, {}), "id") == [("chart/crm/users", "id")]
    assert "_atlas_run_id" not in charted["dagster/column_lineage"].deps_by_column


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("id", "who it is\n\nFrom `data.id` of `explore/crm/users`."),
        ("E-Mail", "From `data.E-Mail` of `explore/crm/users`."),
        ("_atlas_run_id", "the Dagster run that wrote it"),
    ],
)
def test_a_description_says_where_a_column_comes_from(column: str, text: str) -> None:
    assert described(chart_metadata(USERS, HISTORY, {}), column) == text


def test_a_description_does_not_list_a_hundred_columns() -> None:
    wide = make_stream({f"c{n}": {"type": "string"} for n in range(100)}, key=[["c0"]])
    charted = chart_metadata(wide, history_rules(wide, NO_RULES), {})
    assert described(charted, "_atlas_row_hash") == (
        "hash of the columns that are compared\n\nFrom `data.c0`, `data.c1`, `data.c2`, `data.c3`,"
        " `data.c4` and 95 more of `explore/crm/users`."
    )
    assert len(lineage(charted, "_atlas_row_hash")) == 100


def test_a_name_with_backticks_stays_readable() -> None:
    odd = make_stream({"a`b": {"type": "string"}}, key=[])
    assert described(explore_metadata(odd), "data.a`b") == "From `a_b` of `airbyte/crm/users`."
    charted = chart_metadata(odd, history_rules(odd, NO_RULES), {})
    assert described(charted, "a`b") == "From `` data.a`b `` of `explore/crm/users`."


def test_dagster_takes_the_metadata() -> None:
    for metadata in (
        explore_metadata(USERS),
        chart_metadata(USERS, HISTORY, {}),
        navigate_metadata(USERS, {}),
    ):
        event = dg.AssetMaterialization("x", metadata=metadata)
        assert {value.__class__.__name__ for value in event.metadata.values()} == {
            "TableSchemaMetadataValue",
            "TableColumnLineageMetadataValue",
        }
