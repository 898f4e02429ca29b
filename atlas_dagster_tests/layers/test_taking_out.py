"""The SQL of docs/airbyte.md takes out what Atlas has of a connection, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

from atlas_dagster.airbyte.state import Entry, save
from atlas_dagster.catalog import Table
from atlas_dagster.catalog_store import save_catalog
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.docs.pages import read_page
from atlas_dagster_tests.layers.support import (
    chart,
    insert_explore,
    make_stream,
    navigate,
    start_layers,
)
from atlas_dagster_tests.properties.oracle import Version

CRM = make_stream({"id": {"type": "integer"}})
KEPT = replace(
    CRM, connection="shop", connection_id="another", landing=Table("landing", "shop__users")
)


def test_what_a_connection_leaves_is_dropped(warehouse: PgConnection) -> None:
    for stream in (CRM, KEPT):
        start_layers(warehouse, stream)
        at = datetime(2024, 1, 1, tzinfo=timezone.utc)
        insert_explore(warehouse, stream, [Version(f"raw-{stream.connection}", at, {"id": 1})])
        chart(warehouse, stream)
        navigate(warehouse, stream)
        details = {"connectionId": stream.connection_id, "name": stream.connection}
        save_catalog(warehouse, stream.connection, details, {})
        save(warehouse, stream.connection_id, [Entry("STREAM", "", "users", "{}")], None)
    dropped, forgotten = read_page("docs/airbyte.md").blocks("sql")
    warehouse.execute(dropped.text.encode())
    warehouse.execute(forgotten.text.encode())
    left = warehouse.execute(
        "select nspname from pg_class join pg_namespace n on n.oid = relnamespace"
        " where nspname <> 'landing' and relname like 'crm\\_\\_users%' and relkind in ('r', 'v')"
    ).fetchall()
    assert left == []
    for table in ("stream", "catalog"):
        query = f"select connection from pipeline.{table}"
        assert warehouse.execute(query.encode()).fetchall() == [("shop",)]
    state = "select connection_id from pipeline.connector_state"
    assert warehouse.execute(state.encode()).fetchall() == [("another",)]
    assert warehouse.execute("select count(*) from navigate.shop__users").fetchone() == (1,)
