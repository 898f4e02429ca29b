"""Scores and results by scan, and the score on the rows that it is of."""

from __future__ import annotations

from typing import Any

import pytest

from atlas_dagster.quality.queries import Scan
from atlas_dagster.quality.score import Score, score
from atlas_dagster.quality.spec import Dimension, MissingParameters, Outcome, Rule
from atlas_dagster.quality.store import load_scores, mark_rows, save_scan
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.quality.support import (
    CHART,
    WHOLE,
    charted,
    check,
    days,
    outcomes,
    record,
)

MISSING = check(Rule.MISSING, "email", given=MissingParameters(), dimension=Dimension.COMPLETENESS)
GONE = check(Rule.MISSING, "gone", given=MissingParameters())
FIRST_DAY = Scan(CHART, days(1))


@pytest.fixture
def scanned(warehouse: PgConnection) -> PgConnection:
    return charted(warehouse, [record(1, email="a"), record(2), record(3, day=2), record(4, day=2)])


def scan(connection: PgConnection, what: Scan) -> tuple[list[Outcome], Score]:
    found = list(outcomes(connection, MISSING, GONE, scan=what).values())
    return found, score(found)


def marks(connection: PgConnection) -> list[Any]:
    return connection.execute(
        "select id, _atlas_quality_score from chart.crm__users order by id"
    ).fetchall()


def test_what_is_saved_is_what_was_found(scanned: PgConnection) -> None:
    found, graded = scan(scanned, FIRST_DAY)
    scan_id = save_scan(scanned, FIRST_DAY, found, graded, "run 1")
    [stored] = load_scores(scanned, CHART.name, days(1))
    assert (stored.scan_id, stored.days, stored.score) == (scan_id, days(1), graded)
    assert graded.dimensions[Dimension.COMPLETENESS] == 50
    assert graded.dimensions[Dimension.VALIDITY] is None
    rows = scanned.execute(
        "select check_name, rule, dimension, columns, status, value, tested, failed, ratio, message"
        " from pipeline.quality_result order by check_name"
    ).fetchall()
    assert rows == [
        (
            "missing__email",
            "missing",
            "completeness",
            ["email"],
            "fail",
            1.0,
            2,
            1,
            0.5,
            "1 of 2 rows (50 %); more than 0 fails",
        ),
        (
            "missing__gone",
            "missing",
            "validity",
            ["gone"],
            "error",
            None,
            None,
            None,
            None,
            "chart.crm__users has no column gone",
        ),
    ]


def test_scans_of_days_and_of_the_whole_table_have_histories_of_their_own(
    scanned: PgConnection,
) -> None:
    ids = [
        save_scan(scanned, what, *scan(scanned, what), "run")
        for what in (FIRST_DAY, WHOLE, Scan(CHART, days(2)), FIRST_DAY, WHOLE)
    ]
    by_days = {
        of: [stored.scan_id for stored in load_scores(scanned, CHART.name, of)]
        for of in (days(1), days(2), days(1, 2), None)
    }
    assert by_days == {
        days(1): [ids[3], ids[0]],
        days(2): [ids[2]],
        days(1, 2): [],
        None: [ids[4], ids[1]],
    }
    assert len(load_scores(scanned, CHART.name, days(1), limit=1)) == 1


def test_rows_get_the_score_of_their_days_and_no_others(scanned: PgConnection) -> None:
    assert mark_rows(scanned, FIRST_DAY, scan(scanned, FIRST_DAY)[1]) == 2
    assert marks(scanned) == [(1, 50.0), (2, 50.0), (3, None), (4, None)]


def test_rows_whose_score_is_the_same_are_not_written(scanned: PgConnection) -> None:
    graded = scan(scanned, FIRST_DAY)[1]
    mark_rows(scanned, FIRST_DAY, graded)
    before = scanned.execute(
        "select id, xmin::text, _atlas_validated_at from chart.crm__users order by id"
    ).fetchall()
    assert mark_rows(scanned, FIRST_DAY, graded) == 0
    after = scanned.execute(
        "select id, xmin::text, _atlas_validated_at from chart.crm__users order by id"
    ).fetchall()
    assert after == before
    assert [row[2] is None for row in after] == [False, False, True, True]


def test_a_new_row_and_a_new_score_are_written(scanned: PgConnection) -> None:
    mark_rows(scanned, FIRST_DAY, scan(scanned, FIRST_DAY)[1])
    scanned.execute("update chart.crm__users set _atlas_validated_at = null where id = 2")
    assert mark_rows(scanned, FIRST_DAY, scan(scanned, FIRST_DAY)[1]) == 1
    scanned.execute("update chart.crm__users set email = 'b' where id = 2")
    assert mark_rows(scanned, FIRST_DAY, scan(scanned, FIRST_DAY)[1]) == 2
    assert marks(scanned)[:2] == [(1, 100.0), (2, 100.0)]


def test_a_score_that_nothing_was_checked_for_is_null_and_the_rows_are_marked(
    scanned: PgConnection,
) -> None:
    assert mark_rows(scanned, FIRST_DAY, score([])) == 2
    assert mark_rows(scanned, FIRST_DAY, score([])) == 0
    assert marks(scanned)[:2] == [(1, None), (2, None)]
