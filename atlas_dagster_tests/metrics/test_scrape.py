"""What a scrape tells of the tables of `pipeline`, and what it says where they cannot be read."""

from __future__ import annotations

import random
import re
from datetime import date, datetime
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from atlas_dagster.metrics import queries
from atlas_dagster.metrics.scrape import Scraper
from atlas_dagster.quality.gate import held_days
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.conftest import database_url

ALERTS = Path(__file__).parents[2] / "docs" / "examples" / "alerts.yml"

Samples = dict[tuple[str, ...], float]


@pytest.fixture
def filled(warehouse: PgConnection) -> PgConnection:
    """A connection with a good sync and then a failed one, and one that never ended well."""
    warehouse.execute(
        """
        insert into pipeline.catalog (connection_id, connection, details, destination)
        values ('c1', 'shop', '{}', '{}');
        insert into pipeline.stream (table_name, connection, stream, connection_id, name)
        values ('shop__users', 'shop', 'users', 'c1', 'users');
        insert into pipeline.sync (connection_id, job_id, status, created_at, ended_at) values
            ('c1', 1, 'succeeded', '2026-01-01T00:00Z', '2026-01-01T00:01Z'),
            ('c1', 2, 'failed', '2026-01-02T00:00Z', '2026-01-02T00:00:30Z'),
            ('c1', 3, 'running', now(), null),
            ('c2', 9, 'failed', '2026-01-02T00:00Z', '2026-01-02T00:00:30Z');
        insert into pipeline.sync_stream (connection_id, job_id, name, generation_id,
            minimum_generation_id, status, records_committed, bytes_committed) values
            ('c1', 1, 'users', 0, 0, 'complete', 300, 9000),
            ('c1', 2, 'users', 0, 0, 'incomplete', 7, 70);
        insert into pipeline.layer_table (layer, table_name, definition, rows, current_rows) values
            ('explore', 'shop__users', '', 300, null), ('navigate', 'shop__users', '', 200, 100);
        insert into pipeline.explore_progress (table_name, landing, snapshot, place, taken_at)
        values ('shop__users', 1, pg_current_snapshot(), 'here', '2026-01-01T00:02Z');
        insert into pipeline.quality_score (table_name, layer, first_day, last_day, run_id,
            scanned_at, status, overall, coverage, is_graded, not_checked) values
            ('shop__users', 'chart', '2026-01-01', '2026-01-01', 'r', '2026-01-01T00:03Z', 'pass',
                100, 1, true, '{}'),
            ('shop__users', 'chart', '2026-01-02', '2026-01-03', 'r', '2026-01-03T00:03Z', 'fail',
                80, 1, true, '{}'),
            ('shop__users', 'navigate', null, null, 'r', '2026-01-01T00:04Z', 'pass', 100, 1, true,
                '{}');
        insert into pipeline.quality_result (scan_id, check_name, rule, dimension, columns, origin,
            status, message)
        select 2, status, 'r', 'validity', '{}', 'o', status, ''
        from unnest(array['pass', 'fail', 'error', 'warn']) as status;
        insert into pipeline.pii_scan (table_name, day, recognizers, rows, result, run_id)
        select 'shop__users', day, '', 1, '{}', 'r'
        from unnest(array['2026-01-01', '2026-01-02', '2026-01-03']::date[]) as day;
        insert into pipeline.pii_finding (table_name, day, path, entity, field_rows, values, rows,
            mean_score, max_score, verdict) values
            ('shop__users', '2026-01-03', '{mail}', 'EMAIL_ADDRESS', 1, 1, 1, 1, 1, 'values'),
            ('shop__users', '2026-01-03', '{mail}', 'URL', 1, 1, 1, 1, 1, 'values'),
            ('shop__users', '2026-01-03', '{id}', 'PHONE_NUMBER', 1, 1, 1, 1, 1, null),
            ('shop__users', '2026-01-01', '{old}', 'PERSON', 1, 1, 1, 1, 1, 'name');
        insert into pipeline.qalita_delivery (key, connection_id, connection, connection_name,
            content, state, written_at) values
            ('a', 'c1', 'shop', 'shop', '{}', 'open', '2026-01-01T00:00Z'),
            ('b', 'c1', 'shop', 'shop', '{}', 'parked', '2025-01-01T00:00Z'),
            ('c', 'c1', 'shop', 'shop', '{}', 'done', '2024-01-01T00:00Z');
        insert into pipeline.notice (kind, fingerprint, source) values ('sync', 'f', 'webhook');
        insert into pipeline.webhook_refusal (reason, hour, times, last_at) values
            (E'a "reason"\\nof \\\\ two lines', date_trunc('hour', now()), 5, now()),
            ('long ago', now() - interval '1 day', 7, now());
        """
    )
    return warehouse


def scrape(url: str) -> dict[str, Samples]:
    """Values by name, then by the values of labels, which stand in the order of their names."""
    found: dict[str, Samples] = {}
    for family in text_string_to_metric_families(Scraper(url).scrape().decode()):
        for sample in family.samples:
            labels = tuple(sample.labels.values())
            found.setdefault(sample.name, {})[labels] = sample.value
        found.setdefault(family.name, {})
    return found


def seconds(text: str) -> float:
    return datetime.fromisoformat(f"{text}+00:00").timestamp()


def test_every_number_is_what_the_tables_say(filled: PgConnection, warehouse_url: str) -> None:
    users = ("shop", "users")
    expected: dict[str, Samples] = {
        "atlas_up": {(): 1},
        "atlas_syncs_total": {
            ("shop", "succeeded"): 1,
            ("shop", "failed"): 1,
            ("c2", "failed"): 1,
        },
        "atlas_sync_last_success_timestamp_seconds": {("shop",): seconds("2026-01-01T00:01:00")},
        "atlas_sync_last_end_timestamp_seconds": {
            ("shop",): seconds("2026-01-02T00:00:30"),
            ("c2",): seconds("2026-01-02T00:00:30"),
        },
        "atlas_sync_last_duration_seconds": {("shop",): 30, ("c2",): 30},
        "atlas_sync_last_succeeded": {("shop",): 0, ("c2",): 0},
        "atlas_syncs_running": {("shop",): 1, ("c2",): 0},
        "atlas_sync_last_records": {users: 300},
        "atlas_sync_last_bytes": {users: 9000},
        "atlas_layer_rows": {
            ("shop", "explore", "users"): 300,
            ("shop", "navigate", "users"): 200,
        },
        "atlas_layer_last_run_timestamp_seconds": {
            ("shop", "explore", "users"): seconds("2026-01-01T00:02:00"),
            ("shop", "chart", "users"): seconds("2026-01-03T00:03:00"),
            ("shop", "navigate", "users"): seconds("2026-01-01T00:04:00"),
        },
        "atlas_quality_score": {users: 80},
        "atlas_quality_checks_failed": {users: 2},
        "atlas_quality_checks_warned": {users: 1},
        "atlas_gate_held_partitions": {users: 2},
        "atlas_personal_data_fields": {users: 1},
        "atlas_qalita_deliveries": {("open",): 1, ("in_doubt",): 0, ("parked",): 1},
        "atlas_qalita_oldest_delivery_timestamp_seconds": {(): seconds("2026-01-01T00:00:00")},
        "atlas_notices_unsettled": {("sync",): 1},
        "atlas_notices_last_hour": {("sync",): 1},
        "atlas_webhook_refusals_last_hours": {('a "reason"\nof \\ two lines',): 5},
    }
    found = scrape(warehouse_url)
    assert {name: found.get(name) for name in expected} == expected
    assert found["atlas_schema_version"] == found["atlas_schema_version_known"]


def test_an_empty_warehouse_has_the_same_metrics(warehouse_url: str) -> None:
    assert len(scrape(warehouse_url)) >= 22


def test_every_metric_of_the_alert_rules_is_told(filled: PgConnection, warehouse_url: str) -> None:
    rules = [rule for group in YAML(typ="safe").load(ALERTS)["groups"] for rule in group["rules"]]
    assert len(rules) > 10
    told = scrape(warehouse_url)
    for rule in rules:
        named = set(re.findall(r"atlas_\w+", rule["expr"]))
        assert named, rule
        assert named <= told.keys(), rule
        assert {"alert", "expr", "labels", "annotations"} <= rule.keys() | {"for"}


def test_held_days_are_those_of_the_gate(warehouse: PgConnection, warehouse_url: str) -> None:
    chance = random.Random(7)
    days = [date(2026, 1, n) for n in range(1, 8)]
    for number in range(12):
        table = f"shop__s{number}"
        warehouse.execute(
            "insert into pipeline.stream (table_name, connection, stream, connection_id, name)"
            " values (%s, 'shop', %s, 'c1', %s)",
            (table, f"s{number}", f"s{number}"),
        )
        for day in days:
            warehouse.execute(
                "insert into pipeline.pii_scan (table_name, day, recognizers, rows, result, run_id)"
                " values (%s, %s, '', 1, '{}', 'r')",
                (table, day),
            )
        for _ in range(chance.randrange(9)):
            scan(warehouse, table, chance, days)
    found = scrape(warehouse_url)["atlas_gate_held_partitions"]
    expected = {
        ("shop", f"s{n}"): len(held_days(warehouse, f"shop__s{n}", (days[0], days[-1])))
        for n in range(12)
    }
    assert found == expected
    assert len(set(expected.values())) > 3


def scan(warehouse: PgConnection, table: str, chance: random.Random, days: list[date]) -> None:
    """A scan of a day, of some days or of all, that goes any way."""
    first, last = sorted(chance.choices(days, k=2)) if chance.random() < 0.7 else (None, None)
    status = chance.choice(["pass", "warn", "fail", "error", "fail"])
    layer = chance.choice(["chart", "chart", "navigate"])
    warehouse.execute(
        "insert into pipeline.quality_score (table_name, layer, first_day, last_day, run_id,"
        " status, coverage, is_graded, not_checked)"
        " values (%s, %s, %s, %s, 'r', %s, 1, true, '{}')",
        (table, layer, first, last, status),
    )


def test_a_server_that_is_down_is_told(postgres: str) -> None:
    url = "postgresql://atlas:a-secret@127.0.0.1:1/atlas"
    text = Scraper(url).scrape().decode()
    assert text.startswith("# PostgreSQL is not reachable: ")
    assert "\natlas_up 0.0\n" in text
    assert "a-secret" not in text


def test_a_database_of_another_version_tells_its_version_alone(
    warehouse: PgConnection, warehouse_url: str, postgres: str
) -> None:
    assert scrape(database_url(postgres, "postgres"))["atlas_schema_version"] == {(): 0}
    warehouse.execute("insert into pipeline.schema_version values (999, 'later')")
    text = Scraper(warehouse_url).scrape().decode()
    assert text.startswith("# the database is at version 999, this Atlas knows")
    assert "\natlas_up 0.0\n" in text


def test_a_connection_that_went_is_opened_anew(warehouse: PgConnection, warehouse_url: str) -> None:
    scraper = Scraper(warehouse_url)
    for _ in range(2):
        assert b"\natlas_up 1.0\n" in scraper.scrape()
        warehouse.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'atlas metrics' and datname = current_database()"
        )
    scraper.close()


def test_a_scrape_only_reads(warehouse_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write = "insert into pipeline.notice (kind, fingerprint, source) values ('sync', 'f', 'poll')"
    monkeypatch.setattr(queries, "LAYERS", write)
    text = Scraper(warehouse_url).scrape().decode()
    assert text.startswith("# PostgreSQL: cannot execute INSERT in a read-only transaction")
