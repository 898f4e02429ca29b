"""`atlas snapshot`, as an operator types it."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from atlas_dagster.catalog_answers import parse_connection
from atlas_dagster.catalog_store import save_catalog
from atlas_dagster.cli_snapshot import snapshot
from atlas_dagster.errors import AtlasError
from atlas_dagster.warehouse import PgConnection, register_stream

DESTINATION = {"destinationType": "postgres", "configuration": {"schema": "landing"}}
DETAILS: dict[str, Any] = {
    "connectionId": "c-1",
    "name": "shop",
    "syncCatalog": {
        "streams": [
            {
                "stream": {"name": "users", "jsonSchema": {"properties": {"id": {}}}},
                "config": {"syncMode": "full_refresh", "destinationSyncMode": "overwrite"},
            }
        ]
    },
}


@pytest.fixture
def refused(
    warehouse: PgConnection, warehouse_url: str, monkeypatch: pytest.MonkeyPatch
) -> PgConnection:
    """A full refresh of sync 7 that would have made 90 of 100 keys vanish."""
    monkeypatch.setenv("ATLAS_WAREHOUSE_URL", warehouse_url)
    save_catalog(warehouse, "shop", DETAILS, DESTINATION)
    (users,) = parse_connection(DETAILS, DESTINATION, "shop").streams
    register_stream(warehouse, users)
    warehouse.execute(
        "insert into pipeline.sync (connection_id, job_id, status, ended_at, snapshot_at)"
        " values ('c-1', 7, 'succeeded', now(), '2024-01-02T03:04:05Z')"
    )
    warehouse.execute(
        "insert into pipeline.snapshot_refusal (table_name, job_id, vanishing, known)"
        " values (%s, 7, 90, 100)",
        (users.table_name,),
    )
    return warehouse


def run(*arguments: str) -> str:
    result = CliRunner().invoke(snapshot, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_refused_snapshot_is_shown_until_it_is_accepted(refused: PgConnection) -> None:
    assert run("show", "shop/users") == (
        "sync 7  2024-01-02 03:04:05+00:00  90 of 100 keys would vanish\n"
    )
    assert run("accept", "shop/users", "7") == (
        "accepted; now run the job shop_layers for the partition 2024-01-02\n"
    )
    assert run("show", "shop/users") == "shop/users: every sync is believed\n"


def test_what_was_not_refused_cannot_be_accepted(refused: PgConnection) -> None:
    with pytest.raises(AtlasError, match="sync 8 was not refused"):
        run("accept", "shop/users", "8")
    with pytest.raises(AtlasError, match="shop/orders was not part"):
        run("show", "shop/orders")
