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
from atlas_dagster.quality.store import save_scan, start_scan
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
    found = [Outcome(MISSING, Status.PASS)]
    save_scan(stream, Scan(CHART, days(3)), found, score(found), "run", started=started)
    assert held(stream) == []


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
