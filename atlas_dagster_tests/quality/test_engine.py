"""What each rule counts, of which rows, and what it makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from psycopg import sql

from atlas_dagster.catalog import Table
from atlas_dagster.json_limits import ValueLimits
from atlas_dagster.quality.engine import run_checks
from atlas_dagster.quality.queries import Scan
from atlas_dagster.quality.spec import (
    DuplicateParameters,
    ExpectedColumn,
    FreshnessParameters,
    HistoryParameters,
    HistoryRule,
    Limit,
    MissingParameters,
    Operator,
    PairParameters,
    RecordCountParameters,
    ReferenceParameters,
    RowCountParameters,
    Rule,
    SchemaParameters,
    TextDamageParameters,
    Unit,
)
from atlas_dagster.warehouse import PgConnection, connect, identifier
from atlas_dagster_tests.layers.support import at, navigate
from atlas_dagster_tests.properties.oracle import Version
from atlas_dagster_tests.quality.support import (
    CHART,
    STREAM,
    above,
    charted,
    check,
    counts,
    days,
    outcome,
    outcomes,
    record,
    user_check,
)

NAVIGATE = Table("navigate", STREAM.table_name)
EMPTY = Limit(Operator.LT, 1)


def invalid(connection: PgConnection, column: str, **given: Any) -> tuple[str, Any, Any]:
    one = check(Rule.INVALID, column, given=ValueLimits(**given))
    return counts(outcome(connection, one))


def test_missing_is_null_and_empty_only_where_that_is_said(warehouse: PgConnection) -> None:
    charted(warehouse, [record(1), record(2, email=""), record(3, email="a@b.co")])
    strict = check(Rule.MISSING, "email", given=MissingParameters(empty_is_missing=True))
    assert counts(outcome(warehouse, strict)) == ("fail", 2, 3)
    loose = check(Rule.MISSING, "email", given=MissingParameters())
    assert counts(outcome(warehouse, loose)) == ("fail", 1, 3)


@pytest.mark.parametrize(
    ("given", "failed"),
    [
        ({"pattern": "^F"}, 2),
        ({"values": ("FR", "Côte d'Ivoire")}, 1),
        ({"values": ("FR", None)}, 2),
        ({"values": ()}, 3),
        ({"min_length": 3}, 2),
        ({"max_length": 2}, 1),
        ({"pattern": "^..$", "max_length": 100}, 1),
        ({"pattern": "${env.HOME}|."}, 0),
        ({"values": ("${env.HOME}", "FR", "DE")}, 1),
    ],
)
def test_invalid_texts_are_those_that_are_not_as_said(
    warehouse: PgConnection, given: Mapping[str, Any], failed: int
) -> None:
    countries = ["FR", "DE", "Côte d'Ivoire", None]
    charted(warehouse, [record(n, country=c) for n, c in enumerate(countries)])
    assert invalid(warehouse, "country", **given) == ("fail" if failed else "pass", failed, 3)


@pytest.mark.parametrize(
    ("given", "failed"),
    [
        ({"minimum": 1}, 1),
        ({"exclusive_minimum": 1}, 2),
        ({"maximum": 2.5}, 0),
        ({"exclusive_maximum": 2.5}, 1),
        ({"values": (0, 1)}, 1),
        ({"values": (0, "1", True)}, 2),
        ({"pattern": r"^\d$"}, 1),
    ],
)
def test_invalid_numbers_are_compared_as_numbers(
    warehouse: PgConnection, given: Mapping[str, Any], failed: int
) -> None:
    charted(warehouse, [record(n, amount=a) for n, a in enumerate([0, 1, 2.5])])
    assert invalid(warehouse, "amount", **given)[1:] == (failed, 3)


def test_invalid_json_is_compared_as_json(warehouse: PgConnection) -> None:
    charted(warehouse, [record(n, extra=e) for n, e in enumerate([{"a": 1}, "text", [1]])])
    assert invalid(warehouse, "extra", values=({"a": 1}, [1]))[1:] == (1, 3)
    assert invalid(warehouse, "extra", pattern="^text$")[1:] == (2, 3)


def test_damaged_texts_are_counted_among_those_that_are_there(warehouse: PgConnection) -> None:
    texts = ["fine", "caf\ufffd", "bell\x07", None, "🎉 ok"]
    charted(warehouse, [record(n, email=t) for n, t in enumerate(texts)])
    one = check(
        Rule.TEXT_DAMAGE, "email", given=TextDamageParameters("[\x01-\x08\x0b\x0e-\x1f\x7f\ufffd]")
    )
    assert counts(outcome(warehouse, one)) == ("fail", 2, 4)


def test_a_value_that_did_not_fit_its_column_is_a_cast_loss(warehouse: PgConnection) -> None:
    charted(warehouse, [record(1, amount="many"), record(2, amount=2)])
    assert counts(outcome(warehouse, check(Rule.CAST_LOSS))) == ("fail", 1, 2)


def test_pairs_are_tested_where_both_are_there(warehouse: PgConnection) -> None:
    early, late = "2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"
    charted(
        warehouse,
        [
            record(1, starts=early, ends=late),
            record(2, starts=late, ends=early),
            record(3, starts=late),
            record(4, starts=late, ends=late),
        ],
    )
    one = check(Rule.PAIR, "starts", "ends", given=PairParameters("starts", "ends"))
    assert counts(outcome(warehouse, one)) == ("fail", 1, 3)


def test_rows_beyond_the_first_of_a_key_are_duplicates(warehouse: PgConnection) -> None:
    charted(
        warehouse,
        [
            Version("a", at(1), {"id": 1, "email": "x"}),
            Version("b", at(1), {"id": 1, "email": "x"}),
            Version("c", at(1), {"id": 1, "email": "y"}),
            Version("d", at(2), {"id": 1, "email": "x"}),
            Version("e", at(2), {"email": "no key"}),
        ],
    )
    within = ("_airbyte_extracted_at",)
    plain = check(Rule.DUPLICATE, "id", given=DuplicateParameters(within))
    assert counts(outcome(warehouse, plain)) == ("fail", 2, 4)
    forgiving = check(Rule.DUPLICATE, "id", given=DuplicateParameters(within, repeats_are_one=True))
    assert counts(outcome(warehouse, forgiving)) == ("fail", 1, 3)


def test_references_are_looked_up_and_compared_as_texts_where_types_differ(
    warehouse: PgConnection,
) -> None:
    charted(warehouse, [record(1, country="7"), record(2, country="8"), record(3)])
    warehouse.execute("create table chart.crm__countries (id bigint, code varchar)")
    warehouse.execute("insert into chart.crm__countries values (7, '7'), (7, '7')")
    countries = Table("chart", "crm__countries")
    for column in ("id", "code"):
        given = ReferenceParameters(countries, column)
        found = outcome(warehouse, check(Rule.REFERENCE, "country", given=given))
        assert counts(found) == ("fail", 1, 2)


def test_a_reference_to_a_stream_that_is_not_built_yet_is_not_checked(
    warehouse: PgConnection,
) -> None:
    charted(warehouse, [record(1, country="7")])
    given = ReferenceParameters(Table("chart", "crm__later"), "id")
    found = outcome(warehouse, check(Rule.REFERENCE, "country", given=given))
    assert (found.status.value, found.message) == (
        "not_checked",
        "chart.crm__later does not exist yet",
    )


def test_the_schema_says_what_is_missing_and_what_has_another_type(warehouse: PgConnection) -> None:
    charted(warehouse, [record(1)])
    given = SchemaParameters(
        tuple(
            ExpectedColumn(name, kind)
            for name, kind in (("id", "bigint"), ("email", "bigint"), ("gone", "varchar"))
        )
    )
    found = outcome(warehouse, check(Rule.SCHEMA, given=given))
    assert counts(found) == ("fail", 2, 3)
    assert found.message == (
        "email is character varying, not bigint; gone is missing; more than 0 fails"
    )


def test_an_age_is_judged_against_its_limit_and_scores_by_it(warehouse: PgConnection) -> None:
    now = datetime.now(timezone.utc)
    charted(warehouse, [record(1, starts=(now - timedelta(hours=4)).isoformat())])
    age = check(
        Rule.FRESHNESS,
        "starts",
        given=FreshnessParameters(),
        warn=above(7200, Unit.SECONDS),
        fail=above(86400, Unit.SECONDS),
    )
    found = outcome(warehouse, age)
    assert found.status.value == "warn"
    assert found.ratio == pytest.approx(0.5, abs=0.01)
    assert found.message == "the newest is 4 h old; more than 2 h warns"


def test_an_age_is_of_the_newest_day_whatever_days_are_scanned(warehouse: PgConnection) -> None:
    old, new = "2024-01-01T00:00:00Z", "2024-01-05T00:00:00Z"
    charted(warehouse, [record(1, day=1, starts=old), record(1, day=5, starts=new)])
    one = check(Rule.FRESHNESS, "starts", given=FreshnessParameters())
    ages: dict[tuple[date, date] | None, float | None] = {
        scanned: outcome(warehouse, one, scan=Scan(CHART, scanned)).value
        for scanned in (days(1), days(5), days(9), days(1, 9))
    }
    ages[None] = outcome(warehouse, one).value
    expected = (datetime.now(timezone.utc) - at(5)).total_seconds()
    assert ages == {scanned: pytest.approx(expected, abs=60) for scanned in ages}


def test_a_source_that_was_synced_and_had_nothing_new_is_not_stale(warehouse: PgConnection) -> None:
    charted(warehouse, [record(1, starts="2024-01-01T00:00:00Z")])
    add_sync(warehouse, job=1, committed=0, on=())
    one = check(
        Rule.FRESHNESS, "starts", given=FreshnessParameters(or_of_sync=True), fail=above(60)
    )
    for scan in (Scan(CHART), Scan(CHART, days(1)), Scan(CHART, days(9))):
        assert outcome(warehouse, one, scan=scan).status.value == "pass"


def test_rows_of_all_days_are_those_of_explore_where_chart_is_not_built_of_them_yet(
    warehouse: PgConnection,
) -> None:
    charted(warehouse, [record(1), record(2)])
    warehouse.execute("update pipeline.layer_table set rows = 0 where layer = 'chart'")
    warehouse.execute(
        "insert into pipeline.layer_table (layer, table_name, definition, rows)"
        " values ('explore', %s, '', 2) on conflict (layer, table_name) do update set rows = 2",
        (CHART.name,),
    )
    one = check(Rule.ROW_COUNT, given=RowCountParameters(of_all_days=True))
    assert outcome(warehouse, one, Scan(CHART, days(3))).value == 2


def test_rows_are_counted_of_the_days_or_of_all_days(warehouse: PgConnection) -> None:
    charted(warehouse, [record(1, day=1), record(2, day=1), record(3, day=2)])
    add_sync(warehouse, job=1, committed=0, on=(), ended_at=at(9))
    of_days = check(Rule.ROW_COUNT, given=RowCountParameters(False), fail=EMPTY, name="of_days")
    of_all = check(Rule.ROW_COUNT, given=RowCountParameters(True), fail=EMPTY, name="of_all")
    for scanned, expected in ((None, (3, 3)), (days(1), (2, 3)), (days(9), (0, 3))):
        found = outcomes(warehouse, of_days, of_all, scan=Scan(CHART, scanned))
        assert (found["of_days"].value, found["of_all"].value) == expected
        assert found["of_all"].status.value == "pass"
    assert found["of_days"].status.value == "fail"
    assert found["of_days"].ratio is None


@pytest.mark.parametrize(
    ("scanned", "status"),
    [
        ((3, 3), "not_checked"),
        ((3, 4), "fail"),
        ((1, 3), "pass"),
        ((4, 4), "fail"),
        ((5, 5), "fail"),
        ((6, 6), "not_checked"),
    ],
)
def test_a_day_without_rows_is_held_against_a_sync_and_not_against_the_lack_of_one(
    warehouse: PgConnection, scanned: tuple[int, int], status: str
) -> None:
    charted(warehouse, [record(1, day=1)])
    add_sync(warehouse, job=1, committed=1, on=(days(1)[0],))
    add_sync(warehouse, job=2, committed=0, on=(), ended_at=at(4))
    add_sync(warehouse, job=3, committed=1, on=(days(5)[0],), ended_at=at(6))
    one = check(Rule.ROW_COUNT, given=RowCountParameters(of_all_days=False), fail=EMPTY)
    found = outcome(warehouse, one, Scan(CHART, days(*scanned)))
    assert found.status.value == status
    assert (found.message == "no sync on these days") == (status == "not_checked")


def test_a_whole_table_without_rows_fails_whether_synced_or_not(warehouse: PgConnection) -> None:
    charted(warehouse, [])
    one = check(Rule.ROW_COUNT, given=RowCountParameters(of_all_days=False), fail=EMPTY)
    assert outcome(warehouse, one).status.value == "fail"


def add_sync(
    connection: PgConnection,
    job: int,
    committed: int,
    on: tuple[date, ...],
    ended_at: datetime | None = None,
) -> None:
    """A sync of the stream that succeeded, just now if ``ended_at`` does not say when."""
    connection.execute(
        "insert into pipeline.sync (connection_id, job_id, status, ended_at)"
        " values (%s, %s, 'succeeded', coalesce(%s, now()))",
        (STREAM.connection_id, job, ended_at),
    )
    connection.execute(
        "insert into pipeline.sync_stream (connection_id, job_id, name, generation_id,"
        " minimum_generation_id, status, records_committed, touched_days)"
        " values (%s, %s, %s, 0, 0, 'complete', %s, %s::date[])",
        (STREAM.connection_id, job, STREAM.name, committed, list(on)),
    )


@pytest.fixture(autouse=True)
def no_syncs(warehouse: PgConnection) -> None:
    warehouse.execute("truncate pipeline.sync cascade")


def record_count(is_exact: bool) -> RecordCountParameters:
    explore = Table("explore", STREAM.table_name)
    return RecordCountParameters(STREAM.connection_id, "", STREAM.name, explore, is_exact)


def test_records_that_were_committed_and_are_not_in_explore_are_lost(
    warehouse: PgConnection,
) -> None:
    charted(warehouse, [record(1, day=1), record(2, day=1), record(3, day=2)])
    add_sync(warehouse, job=1, committed=5, on=(days(1)[0],))
    exact = check(Rule.RECORD_COUNT, given=record_count(is_exact=True))
    assert counts(outcome(warehouse, exact)) == ("fail", 3, 5)
    deduped = check(Rule.RECORD_COUNT, given=record_count(is_exact=False))
    assert counts(outcome(warehouse, deduped)) == ("pass", 0, 5)
    add_sync(warehouse, job=2, committed=4, on=(days(2)[0],))
    assert counts(outcome(warehouse, deduped)) == ("fail", 4, 4)
    assert counts(outcome(warehouse, exact, Scan(CHART, days(1)))) == ("fail", 3, 5)
    found = outcome(warehouse, exact, Scan(CHART, days(9)))
    assert (found.status.value, found.message) == (
        "not_checked",
        "no complete sync to compare with",
    )


def test_what_retention_dropped_is_not_lost(warehouse: PgConnection) -> None:
    charted(warehouse, [record(1, day=2)])
    add_sync(warehouse, job=1, committed=5, on=days(1, 2))
    warehouse.execute(
        "update pipeline.layer_table set dropped_before = '2024-01-02' where layer = 'explore'"
    )
    exact = check(Rule.RECORD_COUNT, given=record_count(is_exact=True))
    assert outcome(warehouse, exact).status.value == "not_checked"


def history(rule: HistoryRule) -> Any:
    return check(Rule.HISTORY, given=HistoryParameters(rule, NAVIGATE), name=rule.value)


def break_history(connection: PgConnection) -> None:
    """Give key 1 a second current segment, which ends before it starts, and key 2 its own again.

    The table is a copy without the constraints, which would refuse both.
    """
    for statement in (
        "create table broken as table {}",
        "drop table {} cascade",
        "alter table broken set schema navigate",
        "alter table navigate.broken rename to {1}",
        "update {0} set _atlas_is_current = true, _atlas_valid_to = _atlas_valid_from -"
        " interval '1 h' where _atlas_natural_key = '1' and not _atlas_is_current",
        "insert into {0} select * from {0} where _atlas_natural_key = '2'",
    ):
        connection.execute(
            sql.SQL(statement).format(identifier(NAVIGATE), sql.Identifier(NAVIGATE.name))
        )


def test_a_sound_history_passes_and_a_broken_one_does_not(warehouse: PgConnection) -> None:
    charted(warehouse, [record(1, day=1), record(1, day=2, email="x"), record(2, day=3)])
    navigate(warehouse, STREAM)
    rules = [history(rule) for rule in HistoryRule]
    found = outcomes(warehouse, *rules)
    assert {name: counts(one) for name, one in found.items()} == {
        "one_current": ("pass", 0, 2),
        "no_overlap": ("pass", 0, 3),
        "from_before_to": ("pass", 0, 3),
    }
    break_history(warehouse)
    found = outcomes(warehouse, *rules)
    assert {name: one.failed for name, one in found.items()} == {
        "one_current": 2,
        "no_overlap": 1,
        "from_before_to": 1,
    }
    of_second_key = outcomes(warehouse, *rules, scan=Scan(CHART, days(3)))
    assert [one.failed for one in of_second_key.values()] == [1, 1, 0]


def test_only_the_rows_of_the_scanned_days_are_tested(warehouse: PgConnection) -> None:
    charted(warehouse, [record(n, day=1 + n // 3) for n in range(9)])
    one = check(Rule.MISSING, "email", given=MissingParameters())
    assert counts(outcome(warehouse, one, Scan(CHART, days(1)))) == ("fail", 3, 3)
    assert counts(outcome(warehouse, one, Scan(CHART, days(2, 3)))) == ("fail", 6, 6)
    assert counts(outcome(warehouse, one)) == ("fail", 9, 9)


def test_rows_that_say_that_a_record_is_gone_are_not_tested(warehouse: PgConnection) -> None:
    charted(warehouse, [record(1, email="a"), record(2)])
    warehouse.execute("update chart.crm__users set _atlas_deleted = true where id = 2")
    one = check(Rule.MISSING, "email", given=MissingParameters())
    assert counts(outcome(warehouse, one)) == ("pass", 0, 1)


def test_of_an_empty_table_nothing_passes(warehouse: PgConnection) -> None:
    charted(warehouse, [])
    found = outcomes(
        warehouse,
        check(Rule.MISSING, "email", given=MissingParameters()),
        check(Rule.INVALID, "email", given=ValueLimits(pattern="x")),
        check(Rule.DUPLICATE, "id", given=DuplicateParameters(())),
        check(Rule.FRESHNESS, "starts", given=FreshnessParameters()),
        check(Rule.CAST_LOSS),
        user_check("missing", {"threshold": {"must_be": 0}}, "email"),
        user_check("aggregate", {"function": "avg", "threshold": {"must_be": 0}}, "amount"),
    )
    assert {one.status.value for one in found.values()} == {"not_checked"}
    assert {one.ratio for one in found.values()} == {None}


def test_columns_of_any_name_are_checked(warehouse: PgConnection) -> None:
    charted(warehouse, [record(1), record(2)])
    odd = 'we"ird ${env.HOME} \\ 表'
    for statement in (
        sql.SQL("alter table chart.crm__users add column {} varchar"),
        sql.SQL("update chart.crm__users set {} = 'x' where id = 1"),
    ):
        warehouse.execute(statement.format(sql.Identifier(odd)))
    found = outcomes(
        warehouse,
        check(Rule.MISSING, odd, given=MissingParameters(), name="missing"),
        check(Rule.INVALID, odd, given=ValueLimits(values=("y",)), name="invalid"),
        check(Rule.DUPLICATE, odd, given=DuplicateParameters(()), name="duplicate"),
    )
    assert {name: counts(one) for name, one in found.items()} == {
        "missing": ("fail", 1, 2),
        "invalid": ("fail", 1, 1),
        "duplicate": ("pass", 0, 1),
    }


def test_a_check_of_sodas_own_language_is_judged_as_soda_does(warehouse: PgConnection) -> None:
    charted(warehouse, [record(n, amount=n, email=None if n else "a") for n in range(4)])
    two_levels = {
        "threshold": {
            "metric": "percent",
            "must_be_less_than": 90,
            "additional": {"must_be_less_than": 50, "level": "warn"},
        }
    }
    found = outcomes(
        warehouse,
        user_check("missing", two_levels, "email"),
        user_check("aggregate", {"function": "avg", "threshold": {"must_be": 1.5}}, "amount"),
        user_check("failed_rows", {"expression": "amount > 2", "threshold": {"must_be": 0}}),
        user_check("row_count", {"threshold": {"must_be_between": {"greater_than": 9}}}),
        user_check("metric", {"query": "select 7", "threshold": {"must_be": 7}}),
        user_check("invalid", {"valid_values": ["Côte d'Ivoire", "a"]}, "email"),
    )
    assert counts(found["missing"]) == ("warn", 3, 4)
    assert (found["missing"].value, found["missing"].ratio) == (75, 0.25)
    assert (found["aggregate"].status.value, found["aggregate"].value) == ("pass", 1.5)
    assert found["aggregate"].ratio == 1
    assert counts(found["failed_rows"]) == ("fail", 1, 4)
    assert found["row_count"].status.value == "error"
    assert found["metric"].status.value == "pass"
    assert counts(found["invalid"]) == ("pass", 0, 1)


def test_outcomes_come_in_the_order_of_the_checks(warehouse: PgConnection) -> None:
    charted(warehouse, [record(1)])
    checks = [
        check(Rule.DUPLICATE, "id", given=DuplicateParameters(())),
        check(Rule.MISSING, "email", given=MissingParameters()),
        check(Rule.SCHEMA, given=SchemaParameters((ExpectedColumn("id", "bigint"),))),
        check(Rule.INVALID, "gone", given=ValueLimits(pattern="x")),
    ]
    assert [o.check for o in run_checks(warehouse, Scan(CHART), checks)] == checks


def test_the_connection_is_given_back_as_it_came(warehouse: PgConnection) -> None:
    charted(warehouse, [record(1)])
    warehouse.execute("set statement_timeout = '7s'")
    outcome(warehouse, check(Rule.MISSING, "email", given=MissingParameters()))
    row = warehouse.execute("show statement_timeout").fetchone()
    assert row == ("7s",)
    assert warehouse.info.transaction_status.name == "IDLE"


def test_a_connection_in_a_transaction_is_refused(warehouse_url: str) -> None:
    with (
        connect(warehouse_url, autocommit=False) as connection,
        pytest.raises(ValueError, match="commits by itself"),
    ):
        run_checks(connection, Scan(CHART), [])
