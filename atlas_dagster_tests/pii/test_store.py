"""What scans found, kept by day: which days are left to scan, and what a stream holds in all."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from atlas_dagster.pii.findings import EntityFinding, FieldFindings, RecognizerFailure
from atlas_dagster.pii.store import (
    FieldScan,
    StoredFailure,
    StoredVerdict,
    UnscannedDay,
    load_failures,
    load_verdicts,
    save_scan,
    unscanned_days,
)
from atlas_dagster.pii.verdict import Verdict
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.layers.support import at, insert_explore, make_stream, start_layers
from atlas_dagster_tests.properties.oracle import Version

STREAM = make_stream({"id": {"type": "integer"}, "mail": {"type": "string"}})
TABLE = STREAM.table_name
ALWAYS = date(2000, 1, 1), date(2100, 1, 1)
MAIL = EntityFinding("EMAIL_ADDRESS", 2, 3, 0.9, 1.0, 2, 3)
URL = EntityFinding("URL", 1, 1, 0.5, 0.5, 0, 0)
FOUND = FieldFindings(("mail",), rows=4, distinct_values=3, entities=(MAIL, URL))
VERDICT = Verdict(("mail",), "EMAIL_ADDRESS", "values", 0.75, 0.9, 0.95, ("why",))


@pytest.fixture
def explored(warehouse: PgConnection) -> PgConnection:
    start_layers(warehouse, STREAM)
    versions = [Version(f"{n}", at(1 + n % 2), {"id": n}) for n in range(3)]
    insert_explore(warehouse, STREAM, versions)
    return warehouse


def left(connection: PgConnection, recognizers: str = "r1") -> list[UnscannedDay]:
    return unscanned_days(connection, TABLE, ALWAYS, recognizers)


def save(connection: PgConnection, day: int, *fields: FieldScan, rows: int = 2) -> None:
    save_scan(
        connection,
        TABLE,
        UnscannedDay(at(day).date(), rows),
        fields,
        recognizers="r1",
        result={"ner": "NER: not active"},
        run_id="run",
    )


def test_a_day_is_left_until_it_is_scanned(explored: PgConnection) -> None:
    assert left(explored) == [UnscannedDay(at(1).date(), 2), UnscannedDay(at(2).date(), 1)]
    save(explored, 1)
    assert left(explored) == [UnscannedDay(at(2).date(), 1)]


def test_a_day_with_new_versions_is_left_again(explored: PgConnection) -> None:
    save(explored, 1)
    insert_explore(explored, STREAM, [Version("late", at(1), {"id": 9})])
    assert UnscannedDay(at(1).date(), 3) in left(explored)


def test_other_recognizers_leave_all_days(explored: PgConnection) -> None:
    save(explored, 1)
    assert len(left(explored, "r2")) == 2


def test_noise_is_kept_and_is_no_verdict(explored: PgConnection) -> None:
    save(explored, 1, FieldScan(FOUND, (VERDICT,)))
    rows: list[Any] = explored.execute(
        "select entity, values, rows, verdict, round(confidence::numeric, 2)::float"
        " from pipeline.pii_finding order by entity"
    ).fetchall()
    assert rows == [("EMAIL_ADDRESS", 2, 3, "values", 0.95), ("URL", 1, 1, None, None)]


def test_verdicts_are_summed_over_days_and_the_surest_day_says_why(explored: PgConnection) -> None:
    save(explored, 1, FieldScan(FOUND, (VERDICT,)))
    unsure = replace(VERDICT, kind="embedded", confidence=0.5, evidence=("maybe",))
    save(explored, 2, FieldScan(FOUND, (unsure,)), rows=1)
    (verdict,) = load_verdicts(explored, TABLE)
    assert (verdict.mean_score, verdict.confidence) == pytest.approx((0.9, 0.95))
    assert replace(verdict, mean_score=0.9, confidence=0.95) == StoredVerdict(
        path=("mail",),
        entity="EMAIL_ADDRESS",
        kind="values",
        rows=6,
        field_rows=8,
        mean_score=0.9,
        confidence=0.95,
        evidence=("why",),
        first_day=at(1).date(),
        last_day=at(2).date(),
    )


def test_a_verdict_by_the_name_alone_has_the_rows_of_its_share(explored: PgConnection) -> None:
    named = replace(VERDICT, entity="PERSON", kind="name", share=0.5, mean_score=0.0)
    save(explored, 1, FieldScan(FOUND, (named,)))
    (verdict,) = load_verdicts(explored, TABLE)
    assert (verdict.entity, verdict.rows, verdict.field_rows) == ("PERSON", 2, 4)


def test_what_a_recognizer_failed_on_is_kept_until_the_day_is_scanned_again(
    explored: PgConnection,
) -> None:
    failure = RecognizerFailure("NhsRecognizer", "ValueError", values=1, rows=2)
    failed = FieldScan(replace(FOUND, failures=(failure,)), ())
    save(explored, 1, failed)
    save(explored, 2, failed, FieldScan(replace(FOUND, path=("note",)), ()))
    (stored,) = load_failures(explored, TABLE)
    assert stored == StoredFailure(
        ("mail",), "NhsRecognizer", "ValueError", 4, at(1).date(), at(2).date()
    )
    assert str(stored) == "mail: NhsRecognizer raised ValueError in 4 rows"
    save(explored, 1)
    save(explored, 2)
    assert load_failures(explored, TABLE) == []


def test_a_new_scan_of_a_day_replaces_the_old_one(explored: PgConnection) -> None:
    save(explored, 1, FieldScan(FOUND, (VERDICT,)))
    save(explored, 1)
    assert load_verdicts(explored, TABLE) == []
