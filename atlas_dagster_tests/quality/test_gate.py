"""The gate: which days it holds back, by the newest scan of each."""

from __future__ import annotations

from concurrent import futures
from datetime import date

import psycopg
import pytest

from atlas_dagster.quality.gate import await_scans, held_days, scanning
from atlas_dagster.quality.queries import Scan
from atlas_dagster.quality.score import score
from atlas_dagster.quality.spec import MissingParameters, Outcome, Rule, Status
from atlas_dagster.quality.store import expect_scan, save_scan, start_scan
from atlas_dagster.warehouse import PgConnection, connect
from atlas_dagster_tests.quality.support import CHART, charted, check, days

MISSING = check(Rule.MISSING, "email", given=MissingParameters())


@pytest.fixture
def stream(warehouse: PgConnection) -> PgConnection:
    return charted(warehouse, [])


def scanned(connection: PgConnection, status: Status, *of: int, layer: str = "chart") -> None:
    """A scan of some days of January 2024, or of all of chart, with a check of that status."""
    found = [Outcome(MISSING, status)]
    scan = Scan(CHART, days(*of) if of else None)
    save_scan(connection, scan, found, score(found), "run", layer)


def end_scan(connection: PgConnection, status: Status, started: int, run_id: str) -> None:
    """The end of a scan of the third day."""
    found = [Outcome(MISSING, status)]
    save_scan(connection, Scan(CHART, days(3)), found, score(found), run_id, started=started)


def held(connection: PgConnection, first: int = 1, last: int = 31) -> list[int]:
    return [one.day.day for one in held_days(connection, CHART.name, days(first, last))]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (Status.PASS, []),
        (Status.WARN, []),
        (Status.NOT_CHECKED, []),
        (Status.FAIL, [3]),
        (Status.ERROR, [3]),
    ],
)
def test_a_failure_and_an_error_hold_a_day_back(
    stream: PgConnection, status: Status, expected: list[int]
) -> None:
    scanned(stream, status, 3)
    assert held(stream) == expected


def test_a_held_day_names_the_checks_that_failed(stream: PgConnection) -> None:
    scanned(stream, Status.FAIL, 3)
    (day,) = held_days(stream, CHART.name, days(1, 5))
    assert (day.day, day.checks) == (date(2024, 1, 3), ("missing__email",))


def test_the_newest_scan_of_a_day_counts(stream: PgConnection) -> None:
    scanned(stream, Status.FAIL, 3)
    scanned(stream, Status.PASS, 3)
    assert held(stream) == []
    scanned(stream, Status.FAIL, 3)
    assert held(stream) == [3]


def test_a_scan_of_more_days_is_one_of_each(stream: PgConnection) -> None:
    scanned(stream, Status.FAIL, 2, 5)
    scanned(stream, Status.PASS, 3)
    assert held(stream) == [2, 4, 5]
    assert held(stream, 3, 4) == [4]
    scanned(stream, Status.PASS, 1, 4)
    assert held(stream) == [5]


def test_a_scan_of_all_of_chart_is_one_of_every_day(stream: PgConnection) -> None:
    scanned(stream, Status.FAIL, 3)
    scanned(stream, Status.PASS)
    assert held(stream) == []
    scanned(stream, Status.ERROR)
    scanned(stream, Status.PASS, 2, 30)
    assert held(stream) == [1, 31]


def test_a_scan_that_was_killed_holds_its_days_back_until_one_ends(stream: PgConnection) -> None:
    scanned(stream, Status.PASS, 3)
    started = start_scan(stream, Scan(CHART, days(3)), "run")
    (day,) = held_days(stream, CHART.name, days(1, 5))
    assert (day.day, day.checks) == (date(2024, 1, 3), ())
    end_scan(stream, Status.PASS, started, "run")
    assert held(stream) == []


def test_rows_that_are_expected_to_be_scanned_hold_their_days_back_until_a_later_scan_ends(
    stream: PgConnection,
) -> None:
    scanned(stream, Status.PASS, 1)
    earlier = start_scan(stream, Scan(CHART, days(3)), "earlier")
    expect_scan(stream, Scan(CHART, days(3)), "run")
    end_scan(stream, Status.PASS, earlier, "earlier")
    assert held(stream) == [3]
    started = start_scan(stream, Scan(CHART, days(3)), "run")
    assert held(stream) == [3]
    end_scan(stream, Status.PASS, started, "run")
    assert held(stream) == []


def test_the_scan_of_a_run_takes_the_place_of_the_one_that_was_expected(
    stream: PgConnection,
) -> None:
    scanned(stream, Status.PASS, 1)
    for _ in range(2):
        expect_scan(stream, Scan(CHART, days(3)), "a run, its chart tried twice")
    start_scan(stream, Scan(CHART, days(3)), "a run, its chart tried twice")
    rows = stream.execute("select count(*) from pipeline.quality_score").fetchone()
    assert rows == (2,)


def test_a_stream_that_was_never_scanned_expects_no_scan(stream: PgConnection) -> None:
    expect_scan(stream, Scan(CHART, days(3)), "run")
    assert held(stream) == []


def test_of_scans_at_once_that_counts_which_began_last(stream: PgConnection) -> None:
    """It has seen what came in until then; the other one may not have."""
    first = start_scan(stream, Scan(CHART, days(3)), "first")
    second = start_scan(stream, Scan(CHART, days(3)), "second")
    end_scan(stream, Status.PASS, first, "first")
    assert held(stream) == [3], "the second goes on"
    end_scan(stream, Status.FAIL, second, "second")
    third = start_scan(stream, Scan(CHART, days(3)), "third")
    fourth = start_scan(stream, Scan(CHART, days(3)), "fourth")
    end_scan(stream, Status.FAIL, fourth, "fourth")
    end_scan(stream, Status.PASS, third, "third")
    assert held(stream) == [3], "the fourth began last, and failed"


def test_a_scan_that_goes_on_is_waited_for(stream: PgConnection, warehouse_url: str) -> None:
    with connect(warehouse_url) as theirs, futures.ThreadPoolExecutor(1) as pool:
        with scanning(stream, CHART.name), scanning(stream, CHART.name):
            waiting = pool.submit(await_scans, theirs, CHART.name)
            with pytest.raises(futures.TimeoutError):
                waiting.result(timeout=0.2)
        waiting.result(timeout=60)


def test_a_scan_that_was_killed_is_not_waited_for(stream: PgConnection, warehouse_url: str) -> None:
    with connect(warehouse_url) as theirs, scanning(theirs, CHART.name):
        stream.execute("select pg_terminate_backend(%s)", (theirs.info.backend_pid,))
        await_scans(stream, CHART.name)
        with pytest.raises(psycopg.OperationalError):
            theirs.execute("select 1")


def test_checks_of_the_history_are_no_gate(stream: PgConnection) -> None:
    scanned(stream, Status.FAIL, 3, layer="navigate")
    assert held(stream) == []


def test_days_that_nobody_scanned_are_not_held_back(stream: PgConnection) -> None:
    assert held(stream) == []
