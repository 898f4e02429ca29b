"""The embedded connections through dagster-airbyte: assets, events, progress and failures."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
from dagster_airbyte import airbyte_assets

from atlas_dagster.airbyte.translator import AtlasTranslator
from atlas_dagster.airbyte.workspace import AtlasAirbyteWorkspace, build_workspace
from atlas_dagster.settings import load_settings
from atlas_dagster_tests.airbyte.scripted import Source, record, state, status, table

CONNECTIONS = """
connections:
  My Shop:
    source: airbyte-source-scripted==1.0.0
    streams:
      - users
      - e2e/data-x y
"""


@pytest.fixture
def shop(source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AtlasAirbyteWorkspace:
    """A workspace whose one connection runs the scripted source, as `config/` describes it."""
    source.catalog(
        table("users", {"id": {"type": "integer"}}, cursor="id"),
        table("e2e/data-x y", {"id": {"type": "integer"}}),
    )
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "connections.yaml").write_text(CONNECTIONS)
    venv = source.settings.data_dir / "connectors" / "airbyte-source-scripted-1.0.0"
    (venv / "bin").mkdir(parents=True)
    (venv / ".atlas-installed").touch()
    source.home = venv / "bin"
    monkeypatch.setenv("ATLAS_PROJECT_DIR", str(tmp_path))
    monkeypatch.setenv("ATLAS_WAREHOUSE_URL", source.warehouse_url)
    return build_workspace(load_settings())


def play(source: Source, *steps: Any) -> None:
    source.scenario["steps"] = list(steps)
    source.write()


def materialize(
    workspace: AtlasAirbyteWorkspace, selection: list[str] | None = None
) -> dg.ExecuteInProcessResult:
    (connection,) = workspace.connections()

    @airbyte_assets(
        connection_id=connection.id,
        workspace=workspace,
        name="sync_shop",
        dagster_airbyte_translator=AtlasTranslator(),
    )
    def sync(context: dg.AssetExecutionContext, airbyte: AtlasAirbyteWorkspace) -> Iterator[Any]:
        yield from airbyte.sync_and_poll(context)

    keys = [dg.AssetKey(["airbyte", "my_shop", stream]) for stream in selection or ()]
    return dg.materialize(
        [sync],
        resources={"airbyte": workspace},
        raise_on_error=False,
        selection=keys or None,
    )


def materialized(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
    events = result.get_asset_materialization_events()
    return {
        event.asset_key.path[-1]: {k: v.value for k, v in event.materialization.metadata.items()}
        for event in events
        if event.asset_key
    }


def failures(result: dg.ExecuteInProcessResult) -> list[str | None]:
    return [
        event.step_failure_data.user_failure_data.description
        for event in result.all_events
        if event.is_step_failure and event.step_failure_data.user_failure_data
    ]


def test_assets_are_there_before_anything_was_installed_or_started(
    shop: AtlasAirbyteWorkspace, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATLAS_WAREHOUSE_URL", "postgresql://nowhere.invalid/x")
    specs = shop.load_asset_specs(AtlasTranslator())
    assert [spec.key.path for spec in specs] == [
        ["airbyte", "my_shop", "users"],
        ["airbyte", "my_shop", "e2e_data_x_y"],
    ]
    assert specs[1].group_name == "my_shop"
    assert specs[1].kinds == {"airbyte", "postgres"}
    assert specs[1].metadata["atlas/stream_name"] == "e2e/data-x y"
    assert specs[1].metadata["atlas/connection_name"] == "My Shop"
    assert not (source.home / "calls").exists()


def test_a_sync_materializes_each_stream_with_what_it_did(
    shop: AtlasAirbyteWorkspace, source: Source
) -> None:
    play(source, record("users", {"id": 1}), record("users", {"id": 2}), state("users", 1))
    result = materialize(shop)
    assert result.success
    users = materialized(result)["users"]
    schema = users.pop("dagster/column_schema")
    assert [(c.name, c.type) for c in schema.columns] == [("id", "bigint")]
    assert users.pop("atlas/duration_seconds") > 0
    assert users.pop("dagster/table_name").endswith(".landing.my_shop__users")
    assert "| `users` | 2 | 18 | 2023-11-14 | complete |" in users.pop("atlas/sync")
    assert users == {
        "atlas/job_id": 1,
        "atlas/generation_id": 0,
        "atlas/records_emitted": 2,
        "atlas/records_committed": 2,
        "atlas/bytes_emitted": 18,
        "atlas/bytes_committed": 18,
        "atlas/touched_days": ["2023-11-14"],
        "atlas/cursor_value": "2",
    }
    assert materialized(result)["e2e_data_x_y"]["atlas/records_committed"] == 0
    assert source.rows("select run_id from pipeline.sync") == [(result.run_id,)]


def test_a_selected_stream_syncs_the_connection_and_its_siblings_are_told_too(
    shop: AtlasAirbyteWorkspace, source: Source
) -> None:
    play(source, record("users", {"id": 1}))
    assert set(materialized(materialize(shop, ["users"]))) == {"users", "e2e_data_x_y"}


def test_a_failed_sync_materializes_what_is_whole_and_fails_with_the_reason(
    shop: AtlasAirbyteWorkspace, source: Source
) -> None:
    play(
        source,
        *(record("users", {"id": 1}), state("users", 1), status("users", "COMPLETE")),
        *(record("e2e/data-x y", {"id": 1}), {"stderr": "out of disk"}, {"exit": 1}),
    )
    result = materialize(shop)
    assert not result.success
    assert set(materialized(result)) == {"users"}
    assert failures(result) == [
        "airbyte-source-scripted==1.0.0 failed with exit code 1: out of disk"
    ]


def test_a_second_run_on_a_busy_connection_fails_and_leaves_the_first_alone(
    shop: AtlasAirbyteWorkspace, source: Source
) -> None:
    play(source, record("users", {"id": 1}), {"wait": "done"})
    (connection,) = shop.connections()
    client = shop.get_client()
    job_id = client.start_sync_job(connection.id)["jobId"]
    result = materialize(shop)
    (reason,) = failures(result)
    assert reason in (
        f"Found sync job for connection_id={connection.id} already running.",
        "connection my_shop is being synced by another run",
    )
    source.let("done")
    sync = client.newest_sync(connection.id)
    assert sync is not None
    assert sync.join(30)
    assert client.get_job_details(job_id)["status"] == "succeeded"


def test_jobs_have_the_shapes_of_airbytes_api(shop: AtlasAirbyteWorkspace, source: Source) -> None:
    play(source, record("users", {"id": 1}), {"exit": 1})
    materialize(shop)
    client = shop.get_client()
    (connection,) = shop.connections()
    (job,) = client.get_jobs_for_connection(connection.id)
    assert (job.id, job.status, job.rows_synced, job.connection_id) == (
        1,
        "failed",
        0,
        connection.id,
    )
    stats = client.get_job_stats(1)
    (attempt,) = stats["attempts"]
    assert stats["job"]["configType"] == "sync"
    assert attempt["attempt"]["streamStats"][1]["stats"]["recordsEmitted"] == 1
    (failure,) = attempt["attempt"]["failureSummary"]["failures"]
    assert failure["externalMessage"].endswith("failed with exit code 1: no reason given")


def test_a_sync_can_be_cancelled_from_another_process(
    shop: AtlasAirbyteWorkspace, source: Source
) -> None:
    play(source, record("users", {"id": 1}), state("users", 1), {"wait": "never"})
    (connection,) = shop.connections()
    client, other = shop.get_client(), build_workspace(load_settings()).get_client()
    job_id = client.start_sync_job(connection.id)["jobId"]
    assert other.cancel_job(job_id)["status"] == "running"
    sync = client.newest_sync(connection.id)
    assert sync is not None
    assert sync.join(30)
    assert client.get_job_details(job_id)["status"] == "cancelled"


def test_the_catalog_of_the_last_sync_is_kept_in_the_warehouse(
    shop: AtlasAirbyteWorkspace, source: Source
) -> None:
    play(source, record("users", {"id": 1}))
    materialize(shop)
    with psycopg.connect(source.warehouse_url) as connection:
        row = connection.execute(
            "select details #>> '{syncCatalog,streams,0,stream,name}',"
            " destination #>> '{configuration,schema}' from pipeline.catalog"
        ).fetchone()
    assert row == ("users", "landing")
    (connection_,) = shop.connections()
    assert [column.name for column in connection_.streams[0].columns] == ["id"]


@pytest.mark.slow
def test_source_faker_lands_its_three_streams(
    tmp_path: Path, warehouse_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "connections.yaml").write_text(
        "connections:\n  faker:\n    source: airbyte-source-faker==7.2.1\n"
        "    config: {count: 300, seed: 1, parallelism: 1, records_per_slice: 100}\n"
        "    streams: [users, products, purchases]\n"
    )
    monkeypatch.setenv("ATLAS_PROJECT_DIR", str(tmp_path))
    monkeypatch.setenv("ATLAS_WAREHOUSE_URL", warehouse_url)
    workspace = build_workspace(load_settings())
    first = materialized(materialize(workspace))
    assert {name: m["atlas/records_committed"] for name, m in first.items()} == {
        "users": 300,
        "products": 100,
        "purchases": 300,
    }
    with psycopg.connect(warehouse_url) as connection:
        row = connection.execute(
            "select count(distinct id), count(email), count(address),"
            " bool_and(_airbyte_meta -> 'changes' = '[]') from landing.faker__users"
        ).fetchone()
    assert row == (300, 300, 300, True)
