"""What cannot be evaluated becomes an error with one sentence, and the others run all the same."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from atlas_dagster.catalog import Table
from atlas_dagster.json_limits import ValueLimits
from atlas_dagster.quality.queries import Scan
from atlas_dagster.quality.spec import (
    Check,
    DuplicateParameters,
    HistoryParameters,
    HistoryRule,
    MissingParameters,
    Rule,
)
from atlas_dagster.warehouse import PgConnection, connect
from atlas_dagster_tests.quality.support import (
    charted,
    check,
    counts,
    outcome,
    outcomes,
    record,
    user_check,
)

SOUND = check(Rule.MISSING, "email", given=MissingParameters(), name="sound")
ALSO_SOUND = check(Rule.DUPLICATE, "id", given=DuplicateParameters(()), name="also_sound")
ANY = {"must_be_greater_than_or_equal": 0}
KILL = "pg_terminate_backend(pg_backend_pid())::int"


def metric(expression: str) -> Check:
    return user_check("metric", {"expression": expression, "threshold": {**ANY}})


@pytest.fixture
def three_rows(warehouse: PgConnection) -> PgConnection:
    return charted(warehouse, [record(n, email=None if n else "bob@secret.org") for n in range(3)])


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (
            check(Rule.INVALID, "gone", given=ValueLimits(pattern="x")),
            "chart.crm__users has no column gone",
        ),
        (
            check(Rule.INVALID, "email", given=ValueLimits(pattern="^(abc")),
            "invalid regular expression: parentheses () not balanced",
        ),
        (
            check(Rule.INVALID, "email", given=ValueLimits(minimum=5)),
            "operator does not exist: character varying < integer",
        ),
        (
            check(Rule.INVALID, "email", given=ValueLimits(values=("a\0b",))),
            "PostgreSQL text fields cannot contain NUL (0x00) bytes",
        ),
        (
            check(
                Rule.HISTORY,
                given=HistoryParameters(HistoryRule.NO_OVERLAP, Table("navigate", "no")),
            ),
            'relation "navigate.no" does not exist',
        ),
        (metric("1 / (count(*) - count(*))"), "division by zero"),
        (metric("sum(amuont)"), 'column "amuont" does not exist'),
        (metric("sum(amount"), 'syntax error at or near "AS"'),
        (metric("max(email)"), "Metric expression returned str, which is no number"),
        (metric("max(email::int)"), 'invalid input syntax for type integer: "…"'),
        (metric("max('${env.HOME}')"), "${env.HOME}: there are no variables here"),
        (
            user_check("failed_rows", {"query": "select * from nowhere"}),
            'relation "nowhere" does not exist',
        ),
        (
            user_check("failed_rows", {"query": "delete from chart.crm__users returning 1"}),
            "in a read-only transaction",
        ),
        (user_check("mising", {}, "email"), "Invalid check type 'mising'"),
        (user_check("missing", {"threshold": 5}, "email"), "'threshold'"),
        (user_check("invalid", {}, "email"), "Invalid check does not have any valid or invalid"),
        (
            user_check("missing", {}, "gone"),
            "chart.crm__users has no column gone",
        ),
    ],
    ids=lambda value: value.name if isinstance(value, Check) else "",
)
def test_one_check_that_cannot_run_is_an_error_and_the_others_run(
    three_rows: PgConnection, bad: Check, told: str
) -> None:
    others = [check(Rule.MISSING, c, given=MissingParameters()) for c in ("country", "amount")]
    found = outcomes(three_rows, SOUND, bad, *others, ALSO_SOUND)
    assert found[bad.name].status.value == "error"
    assert told in found[bad.name].message
    assert "\n" not in found[bad.name].message
    assert found[bad.name].ratio is None
    assert "secret" not in found[bad.name].message
    assert counts(found["sound"]) == ("fail", 2, 3)
    assert counts(found["also_sound"]) == ("pass", 0, 3)
    assert {found[other.name].failed for other in others} == {3}


def test_many_bad_checks_are_told_apart(three_rows: PgConnection) -> None:
    bad = {
        f"bad_{n}": check(
            Rule.INVALID, "email", given=ValueLimits(pattern="(" * n), name=f"bad_{n}"
        )
        for n in range(1, 6)
    }
    good = {
        f"good_{n}": check(Rule.MISSING, "email", given=MissingParameters(), name=f"good_{n}")
        for n in range(12)
    }
    mixed = sorted([*bad.values(), *good.values()], key=lambda one: one.name[::-1])
    found = outcomes(three_rows, *mixed)
    assert {found[name].status.value for name in bad} == {"error"}
    assert {counts(found[name]) for name in good} == {("fail", 2, 3)}


def test_a_table_that_is_missing_is_an_error_of_every_check(warehouse: PgConnection) -> None:
    found = outcomes(warehouse, SOUND, ALSO_SOUND, scan=Scan(Table("chart", "none")))
    assert {(one.status.value, one.message) for one in found.values()} == {
        ("error", "chart.none does not exist: materialize chart first")
    }


def test_what_takes_too_long_is_an_error_and_is_not_tried_again(three_rows: PgConnection) -> None:
    slow = user_check("metric", {"query": "select 1 from pg_sleep(60)", "threshold": {**ANY}})
    found = outcomes(three_rows, SOUND, slow, ALSO_SOUND, timeout=0.3)
    assert (found["metric"].status.value, found["metric"].message) == (
        "error",
        "not done within 0.3 s",
    )
    assert counts(found["sound"]) == ("fail", 2, 3)
    assert counts(found["also_sound"]) == ("pass", 0, 3)


@pytest.mark.parametrize(
    "deadly",
    [
        metric(f"max((select {KILL}))"),
        user_check("metric", {"query": f"select {KILL}", "threshold": {**ANY}}),
    ],
    ids=["in the aggregates", "after them"],
)
def test_a_server_that_goes_away_is_an_error_of_all_that_is_left(
    three_rows: PgConnection, deadly: Check
) -> None:
    found = outcomes(three_rows, deadly, SOUND, ALSO_SOUND)
    for name in (deadly.name, "also_sound"):
        assert found[name].status.value == "error"
        assert found[name].message.startswith("PostgreSQL ended the connection: ")
    assert found["sound"].status.value in ("error", "fail")


def test_a_connection_that_is_gone_is_an_error_of_every_check(warehouse_url: str) -> None:
    connection = connect(warehouse_url)
    connection.close()
    found = outcomes(connection, SOUND, ALSO_SOUND)
    assert {one.status.value for one in found.values()} == {"error"}
    assert {one.message for one in found.values()} == {
        "PostgreSQL ended the connection: the connection is closed"
    }


def test_soda_says_nothing_in_the_logs_of_others(three_rows: PgConnection) -> None:
    heard: list[logging.LogRecord] = []

    def hear(record: logging.LogRecord) -> None:
        heard.append(record)

    listener = logging.Handler()
    listener.emit = hear
    logging.root.addHandler(listener)
    try:
        found = outcome(three_rows, metric("max(email::int)"))
        logging.getLogger("other").error("heard")
    finally:
        logging.root.removeHandler(listener)
    assert found.status.value == "error"
    assert [record.getMessage() for record in heard] == ["heard"]


def test_streams_are_scanned_side_by_side(three_rows: PgConnection, warehouse_url: str) -> None:
    bad = check(Rule.INVALID, "email", given=ValueLimits(pattern="("), name="bad")

    def scan(number: int) -> set[tuple[str, str]]:
        mixed = (SOUND, bad) if number % 2 else (SOUND, ALSO_SOUND)
        with connect(warehouse_url) as connection:
            return {(n, o.status.value) for n, o in outcomes(connection, *mixed).items()}

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(scan, range(16)))
    assert found[0::2] == [{("sound", "fail"), ("also_sound", "pass")}] * 8
    assert found[1::2] == [{("sound", "fail"), ("bad", "error")}] * 8


def test_the_engine_loads_without_soda_and_soda_without_telemetry(warehouse_url: str) -> None:
    code = f"""
import sys
from atlas_dagster.quality import engine, queries, soda_scan
from atlas_dagster.catalog import Table
from atlas_dagster.warehouse import connect
from atlas_dagster_tests.quality.support import user_check
assert not [name for name in sys.modules if name.startswith("soda")]
with connect({warehouse_url!r}) as connection:
    connection.execute("create table chart.plain (_atlas_deleted bool, _atlas_partition date)")
    one = user_check("row_count", {{"threshold": {{"must_be": 0}}}})
    [found] = engine.run_checks(connection, queries.Scan(Table("chart", "plain")), [one])
assert found.status.value == "pass", found
from opentelemetry import trace
assert type(trace.get_tracer_provider()).__name__ == "ProxyTracerProvider"
import threading
assert threading.enumerate() == [threading.main_thread()], threading.enumerate()
"""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SODA")}
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert ran.returncode == 0, ran.stderr
