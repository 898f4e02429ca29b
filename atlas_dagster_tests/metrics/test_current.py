"""Which connections and streams a scrape tells of, and what the rules say of their fields."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from atlas_dagster.config import load_connections
from atlas_dagster.settings import load_settings
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.metrics.support import Samples, scrape, scraper

LABELLED_BY_CONNECTION = (
    "atlas_syncs_total",
    "atlas_sync_last_success_timestamp_seconds",
    "atlas_sync_last_succeeded",
    "atlas_sync_last_records",
    "atlas_layer_rows",
    "atlas_layer_last_run_timestamp_seconds",
    "atlas_gate_held_partitions",
    "atlas_quality_score",
    "atlas_personal_data_fields",
)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A directory with two embedded connections."""
    directory = tmp_path / "config"
    directory.mkdir()
    define(directory, "shop", "crm")
    return directory


def define(directory: Path, *names: str) -> None:
    source = {"source": "airbyte-source-faker==7.2.1", "streams": ["users"]}
    text = json.dumps({"connections": dict.fromkeys(names, source)})
    (directory / "connections.yaml").write_text(text)


def sync(warehouse: PgConnection, connection_id: str, slug: str, *streams: str) -> None:
    """A good sync of some streams, with its catalog and layers."""
    warehouse.execute(
        "insert into pipeline.catalog (connection_id, connection, details, destination)"
        " values (%s, %s, '{}', '{}') on conflict do nothing",
        (connection_id, slug),
    )
    row = warehouse.execute(
        "insert into pipeline.sync (connection_id, job_id, status, ended_at)"
        " values (%s, nextval('pipeline.job_id'), 'succeeded', now()) returning job_id",
        (connection_id,),
    ).fetchone()
    assert row
    for stream in streams:
        table = f"{slug}__{stream}"
        warehouse.execute(
            "insert into pipeline.sync_stream (connection_id, job_id, name, generation_id,"
            " minimum_generation_id, status) values (%s, %s, %s, 0, 0, 'complete')",
            (connection_id, row[0], stream),
        )
        warehouse.execute(
            "insert into pipeline.stream (table_name, connection, stream, connection_id, name)"
            " values (%s, %s, %s, %s, %s) on conflict do nothing",
            (table, slug, stream, connection_id, stream),
        )
        warehouse.execute(
            "insert into pipeline.layer_table (layer, table_name, definition, rows)"
            " values ('navigate', %s, '', 1) on conflict do nothing",
            (table,),
        )


def embedded_ids(directory: Path) -> dict[str, str]:
    settings = load_settings({"ATLAS_CONFIG_DIR": str(directory)})
    return {found.slug: found.id for found in load_connections(settings)}


def serve(warehouse: PgConnection, **slugs: str) -> None:
    """What the last refresh knows of a server: slugs by the ids of connections."""
    connections = [{"id": id_, "name": slug, "slug": slug} for id_, slug in slugs.items()]
    warehouse.execute(
        "insert into pipeline.workspace_snapshot (workspace_id, snapshot, fetched_at)"
        " values ('w', %s, now()) on conflict (workspace_id) do update"
        " set snapshot = excluded.snapshot",
        (json.dumps({"connections": connections}),),
    )


def told(samples: Samples) -> set[str]:
    return {labels[0] for labels in samples}


def test_an_embedded_connection_that_is_removed_is_not_told_of(
    warehouse: PgConnection, warehouse_url: str, config: Path
) -> None:
    for slug, id_ in embedded_ids(config).items():
        sync(warehouse, id_, slug, "users")
    asked = scraper(warehouse_url, config)
    assert asked.scrape().count(b'connection="crm"') > 5
    define(config, "shop")
    text = asked.scrape()
    assert b'connection="shop"' in text
    assert b"crm" not in text
    asked.close()


def test_a_connection_that_the_server_no_longer_has_is_not_told_of(
    warehouse: PgConnection, warehouse_url: str, config: Path
) -> None:
    serve(warehouse, a="sales", b="stock")
    sync(warehouse, "a", "sales", "orders")
    sync(warehouse, "b", "stock", "items")
    both = scrape(warehouse_url, config)
    assert told(both["atlas_layer_rows"]) == {"sales", "stock"}
    serve(warehouse, a="sales")
    found = scrape(warehouse_url, config)
    assert told(found["atlas_layer_rows"]) == {"sales"}
    assert told(found["atlas_sync_last_success_timestamp_seconds"]) == {"sales"}
    assert told(found["atlas_syncs_total"]) == {"sales", "shop", "crm"}


def test_a_connection_that_was_made_anew_is_told_of_once_by_its_slug(
    warehouse: PgConnection, warehouse_url: str, config: Path
) -> None:
    serve(warehouse, new="sales")
    warehouse.execute(
        "insert into pipeline.sync (connection_id, job_id, status, ended_at) values"
        " ('old', 1, 'failed', now()), ('new', 2, 'failed', now())"
    )
    found = scrape(warehouse_url, config)["atlas_sync_last_succeeded"]
    assert found == {("sales",): 0}  # by its slug, although no catalog of it was ever kept


def test_of_two_connections_with_a_slug_the_one_that_was_seen_last_is_told_of(
    warehouse: PgConnection, warehouse_url: str, config: Path
) -> None:
    """Those of a workspace that was asked before, say."""
    warehouse.execute(
        "insert into pipeline.workspace_snapshot (workspace_id, snapshot, fetched_at) values"
        " ('before', %s, now() - interval '1 day')",
        (json.dumps({"connections": [{"id": "old", "name": "sales", "slug": "sales"}]}),),
    )
    serve(warehouse, new="sales")
    sync(warehouse, "new", "sales", "orders")
    text = scraper(warehouse_url, config).scrape().decode()
    assert text.count('atlas_syncs_total{connection="sales",status="succeeded"} ') == 1
    assert 'atlas_syncs_total{connection="sales",status="succeeded"} 1.0\n' in text


def test_failures_of_a_connection_count_from_0_on(warehouse_url: str, config: Path) -> None:
    """What Prometheus first sees at 1 has not increased."""
    counts = scrape(warehouse_url, config)["atlas_syncs_total"]
    ends = ("succeeded", "failed", "cancelled")
    assert counts == {(slug, end): 0 for slug in ("shop", "crm") for end in ends}


def test_a_stream_that_the_last_sync_did_not_have_is_not_told_of(
    warehouse: PgConnection, warehouse_url: str, config: Path
) -> None:
    shop = embedded_ids(config)["shop"]
    sync(warehouse, shop, "shop", "users", "orders")
    assert len(scrape(warehouse_url, config)["atlas_layer_rows"]) == 2
    sync(warehouse, shop, "shop", "users")
    found = scrape(warehouse_url, config)["atlas_layer_rows"]
    assert found == {("shop", "navigate", "users"): 1}


def test_a_job_that_is_no_sync_takes_no_stream_away(
    warehouse: PgConnection, warehouse_url: str, config: Path
) -> None:
    shop = embedded_ids(config)["shop"]
    sync(warehouse, shop, "shop", "users")
    warehouse.execute(
        "insert into pipeline.sync (connection_id, job_id, job_type, status, ended_at) values"
        " (%(id)s, 1000, 'reset', 'succeeded', now()), (%(id)s, 1001, 'sync', 'running', null)",
        {"id": shop},
    )
    assert len(scrape(warehouse_url, config)["atlas_layer_rows"]) == 1


def test_where_the_configuration_is_not_there_all_are_told_of(
    filled: PgConnection, warehouse_url: str, tmp_path: Path
) -> None:
    found = scrape(warehouse_url, tmp_path / "elsewhere")
    for name in LABELLED_BY_CONNECTION:
        assert "shop" in told(found[name]), name


def test_a_mistake_in_the_configuration_is_told_and_hides_nothing(
    filled: PgConnection, warehouse_url: str, config: Path
) -> None:
    asked = scraper(warehouse_url, config)
    assert b'connection="shop",status' in asked.scrape()
    (config / "connections.yaml").write_text("connections: 7")
    first, rest = asked.scrape().decode().split("\n", 1)
    assert first.startswith("# ")
    assert "connections.yaml:1: connections: expected a mapping; found 7" in first
    assert "\natlas_up 1.0\n" in rest
    assert 'atlas_sync_last_records{connection="shop"' in rest
    define(config, "crm")
    assert b"shop" not in asked.scrape()
    asked.close()


class TestUndecidedFields:
    @pytest.fixture
    def found(self, warehouse: PgConnection, config: Path) -> PgConnection:
        """A stream whose scans found an address, a name in a map, and noise."""
        sync(warehouse, embedded_ids(config)["crm"], "crm", "users", "notes")
        warehouse.execute(
            """
            insert into pipeline.pii_scan (table_name, day, recognizers, rows, result, run_id)
            select 'crm__users', day, '', 1, '{}', 'r'
            from unnest(array['2026-01-01', '2026-01-02']::date[]) as day;
            insert into pipeline.pii_finding (table_name, day, path, entity, field_rows, values,
                rows, mean_score, max_score, verdict) values
                ('crm__users', '2026-01-01', '{mail}', 'EMAIL_ADDRESS', 1, 1, 1, 1, 1, 'values'),
                ('crm__users', '2026-01-01', '{address,street}', 'PERSON', 1, 1, 1, 1, 1, 'name'),
                ('crm__users', '2026-01-01', '{address,street}', 'LOCATION', 1, 1, 1, 1, 1,
                    'name'),
                ('crm__users', '2026-01-02', '{mail}', 'EMAIL_ADDRESS', 1, 1, 1, 1, 1, 'values'),
                ('crm__users', '2026-01-02', '{id}', 'PHONE_NUMBER', 1, 1, 1, 1, 1, null);
            """
        )
        return warehouse

    @pytest.mark.parametrize(
        ("rules", "expected"),
        [
            ("", 2),
            ("pii: {default: mask}", 2),
            ("pii: {entities: {EMAIL_ADDRESS: hash}}", 1),
            ("pii: {entities: {EMAIL_ADDRESS: keep, PERSON: mask}}", 1),
            ("pii: {entities: {EMAIL_ADDRESS: keep, PERSON: mask, LOCATION: keep}}", 0),
            ("connections: {crm: {pii: {columns: {address.street: keep, mail: drop}}}}", 0),
            ("connections: {crm: {streams: {users: {pii: {columns: {mail: keep}}}}}}", 1),
            ("connections: {shop: {pii: {columns: {mail: keep}}}}", 2),
        ],
    )
    def test_they_are_those_that_no_rule_names(
        self, found: PgConnection, warehouse_url: str, config: Path, rules: str, expected: int
    ) -> None:
        (config / "atlas.yaml").write_text(rules)
        samples = scrape(warehouse_url, config)["atlas_personal_data_undecided_fields"]
        assert samples == {("crm", "users"): expected}  # and nothing of a stream never scanned

    def test_a_new_rule_settles_them_at_once(
        self, found: PgConnection, warehouse_url: str, config: Path
    ) -> None:
        asked = scraper(warehouse_url, config)
        name = 'atlas_personal_data_undecided_fields{connection="crm",stream="users"}'
        assert f"{name} 2.0\n" in asked.scrape().decode()
        (config / "atlas.yaml").write_text("pii: {entities: {EMAIL_ADDRESS: hash}}")
        assert f"{name} 1.0\n" in asked.scrape().decode()
        asked.close()

    def test_without_the_configuration_they_are_not_known(
        self, found: PgConnection, warehouse_url: str, tmp_path: Path
    ) -> None:
        samples = scrape(warehouse_url, tmp_path / "elsewhere")
        assert samples["atlas_personal_data_undecided_fields"] == {}
