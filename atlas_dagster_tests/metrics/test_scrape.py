"""What a scrape tells of the tables of `pipeline`, and what it says where they cannot be read."""

from __future__ import annotations

import random
import re
import time
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from atlas_dagster.catalog import Table
from atlas_dagster.metrics import queries
from atlas_dagster.metrics import scrape as scrape_module
from atlas_dagster.quality.gate import held_days
from atlas_dagster.quality.queries import Scan
from atlas_dagster.quality.score import score
from atlas_dagster.quality.spec import MissingParameters, Outcome, Rule, Status
from atlas_dagster.quality.store import save_scan, start_scan
from atlas_dagster.warehouse import PgConnection, connect
from atlas_dagster_tests.conftest import database_url
from atlas_dagster_tests.metrics.support import Samples, scrape, scraper
from atlas_dagster_tests.quality.support import check

ALERTS = Path(__file__).parents[2] / "docs" / "examples" / "alerts.yml"


def alert_rules() -> list[dict[str, Any]]:
    return [rule for group in YAML(typ="safe").load(ALERTS)["groups"] for rule in group["rules"]]


def seconds(text: str) -> float:
    return datetime.fromisoformat(f"{text}+00:00").timestamp()


def test_every_number_is_what_the_tables_say(filled: PgConnection, warehouse_url: str) -> None:
    users = ("shop", "users")
    expected: dict[str, Samples] = {
        "atlas_up": {(): 1},
        "atlas_syncs_total": {
            ("shop", "succeeded"): 1,
            ("shop", "failed"): 1,
            ("shop", "cancelled"): 0,
            ("c2", "succeeded"): 0,
            ("c2", "failed"): 1,
            ("c2", "cancelled"): 0,
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
        "atlas_quality_unfinished_partitions": {users: 0},
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
    rules = alert_rules()
    assert len(rules) > 10
    told = scrape(warehouse_url)
    for rule in rules:
        named = set(re.findall(r"atlas_\w+", rule["expr"]))
        assert named, rule
        assert named <= told.keys(), rule
        assert {"alert", "expr", "labels", "annotations"} <= rule.keys() | {"for"}


def test_no_alert_needs_a_past_that_a_new_series_does_not_have() -> None:
    """Over a time that it has not existed for, a function fires at once, and `offset` never."""
    for rule in alert_rules():
        past = re.findall(r"\w+_over_time|offset|increase|rate|delta", rule["expr"])
        counters = re.findall(r"increase\(atlas_\w+_total\b", rule["expr"])  # count from 0 on
        assert len(past) == len(counters), rule


def test_held_days_are_those_of_the_gate(warehouse: PgConnection, warehouse_url: str) -> None:
    chance = random.Random(7)
    days = [date(2026, 1, n) for n in range(1, 8)]
    warehouse.execute(
        "insert into pipeline.sync (connection_id, job_id, status) values ('c1', 1, 'running')"
    )
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
    warehouse.execute(
        "insert into pipeline.quality_result"
        " (scan_id, check_name, rule, dimension, columns, origin, status, message)"
        " select max(scan_id), 'c', 'r', 'd', '{}', 'o', %s, '' from pipeline.quality_score",
        (status,),
    )


def test_a_server_that_is_down_is_told(postgres: str) -> None:
    url = "postgresql://atlas:a-secret@127.0.0.1:1/atlas"
    text = scraper(url).scrape().decode()
    assert text.startswith("# PostgreSQL is not reachable: ")
    assert "\natlas_up 0.0\n" in text
    assert "a-secret" not in text


def test_a_database_of_another_version_tells_its_version_alone(
    warehouse: PgConnection, warehouse_url: str, postgres: str
) -> None:
    assert scrape(database_url(postgres, "postgres"))["atlas_schema_version"] == {(): 0}
    warehouse.execute("insert into pipeline.schema_version values (999, 'later')")
    text = scraper(warehouse_url).scrape().decode()
    assert text.startswith("# the database is at version 999, this Atlas knows")
    assert "\natlas_up 0.0\n" in text


def test_a_connection_that_went_is_opened_anew(warehouse: PgConnection, warehouse_url: str) -> None:
    asked = scraper(warehouse_url)
    for _ in range(2):
        assert b"\natlas_up 1.0\n" in asked.scrape()
        warehouse.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'atlas metrics' and datname = current_database()"
        )
    asked.close()


def test_a_scrape_only_reads(warehouse_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write = "insert into pipeline.notice (kind, fingerprint, source) values ('sync', 'f', 'poll')"
    monkeypatch.setattr(queries, "LAYERS", write)
    text = scraper(warehouse_url).scrape().decode()
    assert text.startswith("# PostgreSQL: cannot execute INSERT in a read-only transaction")


def test_a_statement_that_takes_too_long_is_not_asked_again(
    warehouse_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scrape_module, "STATEMENT_SECONDS", 3)
    asked = scraper(warehouse_url)
    assert b"\natlas_up 1.0\n" in asked.scrape()
    with connect(warehouse_url, autocommit=False) as other:
        other.execute("lock table pipeline.sync")
        start = time.monotonic()
        text = asked.scrape().decode()
        took = time.monotonic() - start
    assert text.startswith("# PostgreSQL: canceling statement due to statement timeout\n")
    assert 3 <= took < 6
    assert b"\natlas_up 1.0\n" in asked.scrape()
    asked.close()


def test_what_airbyte_does_not_count_is_not_told_as_nothing(
    filled: PgConnection, warehouse_url: str
) -> None:
    filled.execute(
        "update pipeline.sync_stream set counted = false, records_committed = 0,"
        " bytes_committed = 0 where job_id = 1"
    )
    found = scrape(warehouse_url)
    assert found["atlas_sync_last_records"] == {}
    assert found["atlas_sync_last_bytes"] == {}


def test_a_scan_that_has_begun_is_told_apart_from_those_that_ended(
    filled: PgConnection, warehouse_url: str
) -> None:
    """Be it one that goes on, or one that was killed."""
    users, before = ("shop", "users"), scrape(warehouse_url)
    one_day = Scan(Table("chart", "shop__users"), (date(2026, 1, 1), date(2026, 1, 1)))
    started = start_scan(filled, one_day, "the run")
    during = scrape(warehouse_url)
    assert during.pop("atlas_quality_unfinished_partitions") == {users: 1}
    assert before.pop("atlas_quality_unfinished_partitions") == {users: 0}
    assert during == before
    ended = [Outcome(check(Rule.MISSING, "email", given=MissingParameters()), Status.PASS, ratio=1)]
    save_scan(filled, one_day, ended, score(ended), "the run", started=started)
    after = scrape(warehouse_url)
    assert after["atlas_quality_unfinished_partitions"] == {users: 0}
    assert after["atlas_quality_score"] == {users: 100}
