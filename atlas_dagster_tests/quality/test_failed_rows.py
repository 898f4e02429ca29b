"""A sample of the rows that failed: found by what counted them, and without anyone's data."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg import sql

from atlas_dagster.catalog import Table
from atlas_dagster.json_limits import ValueLimits
from atlas_dagster.quality.failed_rows import (
    PersonalFields,
    failing_rows,
    personal_fields,
    save_failed_rows,
)
from atlas_dagster.quality.queries import Scan
from atlas_dagster.quality.score import score
from atlas_dagster.quality.spec import (
    Check,
    DuplicateParameters,
    HistoryParameters,
    HistoryRule,
    MissingParameters,
    PairParameters,
    ReferenceParameters,
    RowCountParameters,
    Rule,
    TextDamageParameters,
)
from atlas_dagster.quality.store import save_scan
from atlas_dagster.warehouse import PgConnection, table_columns
from atlas_dagster_tests.layers.support import navigate
from atlas_dagster_tests.quality.support import (
    CHART,
    STREAM,
    WHOLE,
    charted,
    check,
    days,
    outcomes,
    record,
    user_check,
)

BOB = "bob.builder@example.org"
BAD_EMAIL = check(Rule.INVALID, "email", given=ValueLimits(pattern="^nobody"))
BAD_COUNTRY = check(Rule.INVALID, "country", given=ValueLimits(values=("FR",)))


@pytest.fixture
def scanned(warehouse: PgConnection) -> PgConnection:
    """Records of two days, scanned for personal data: email is, country is not."""
    charted(
        warehouse,
        [
            record(1, email=BOB, country="FR"),
            record(2, email="nobody", country="Neverland", amount="lots of money"),
            record(3, day=2, email=BOB, country="Neverland"),
        ],
    )
    for day in (1, 2):
        warehouse.execute(
            "insert into pipeline.pii_scan (table_name, day, recognizers, rows, result, run_id)"
            " values (%s, %s, 'r', 1, '{}', 'run')",
            (STREAM.table_name, days(day)[0]),
        )
    add_finding(warehouse, "email", "values")
    add_finding(warehouse, "country", None)
    warehouse.execute("update chart.crm__users set _atlas_pii_checked = true")
    return warehouse


def add_finding(connection: PgConnection, name: str, verdict: str | None) -> None:
    connection.execute(
        "insert into pipeline.pii_finding (table_name, day, path, entity, field_rows, values, rows,"
        " mean_score, max_score, verdict) values (%s, %s, %s, 'X', 1, 1, 1, 1, 1, %s)",
        (STREAM.table_name, days(1)[0], [name], verdict),
    )


def sampled(
    connection: PgConnection,
    *checks: Check,
    scan: Scan = WHOLE,
    key: tuple[tuple[str, ...], ...] = (("id",),),
    limit: int = 20,
) -> list[Any]:
    """The samples of a scan: check, raw id, key, what is shown."""
    found = list(outcomes(connection, *checks, scan=scan).values())
    assert "error" not in {one.status.value for one in found}
    scan_id = save_scan(connection, scan, found, score(found), "run")
    kept = save_failed_rows(
        connection, scan, scan_id, found, personal_fields(connection, STREAM, key), limit
    )
    rows = connection.execute(
        "select check_name, raw_id, natural_key, shown from pipeline.quality_failed_row"
        " where scan_id = %s order by check_name, raw_id",
        (scan_id,),
    ).fetchall()
    assert len(rows) == kept
    return rows


def test_a_value_of_a_personal_field_is_masked_and_another_is_shown(scanned: PgConnection) -> None:
    assert sampled(scanned, BAD_EMAIL, BAD_COUNTRY) == [
        ("invalid__country", "raw-1-2", "2", {"country": "Neverland"}),
        ("invalid__country", "raw-2-3", "3", {"country": "Neverland"}),
        ("invalid__email", "raw-1-1", "1", {"email": "b***@e***"}),
        ("invalid__email", "raw-2-3", "3", {"email": "b***@e***"}),
    ]


def test_a_row_that_nobody_scanned_for_personal_data_is_masked(scanned: PgConnection) -> None:
    scanned.execute("update chart.crm__users set _atlas_pii_checked = false where id = 2")
    rows = {row[1]: row[2:] for row in sampled(scanned, BAD_COUNTRY)}
    assert rows["raw-1-2"] == ("***", {"country": "N***"})
    assert rows["raw-2-3"] == ("3", {"country": "Neverland"})


def test_a_key_that_is_personal_is_masked(scanned: PgConnection) -> None:
    scanned.execute("update chart.crm__users set _atlas_natural_key = email")
    [row] = sampled(scanned, BAD_EMAIL, scan=Scan(CHART, days(2)), key=(("email",),))
    assert row[1:3] == ("raw-2-3", "b***@e***")


def test_a_key_as_the_column_of_a_check_is_masked_too(scanned: PgConnection) -> None:
    scanned.execute("update chart.crm__users set _atlas_natural_key = 'nobody@example.org'")
    repeated = check(Rule.DUPLICATE, "_atlas_natural_key", given=DuplicateParameters(()))
    rows = sampled(scanned, repeated, key=(("email",),))
    assert [row[2:] for row in rows] == [("n***@e***", {"_atlas_natural_key": "n***@e***"})] * 2


def test_what_did_not_fit_is_shown_by_field_under_the_same_rule(scanned: PgConnection) -> None:
    losses = check(Rule.CAST_LOSS, "_atlas_errors")
    [row] = sampled(scanned, losses)
    assert row[3] == {"amount": "lots of money"}
    add_finding(scanned, "amount", "name")
    [row] = sampled(scanned, losses)
    assert row[3] == {"amount": "l***"}


def test_a_long_value_is_cut(scanned: PgConnection) -> None:
    scanned.execute("update chart.crm__users set country = repeat('x', 5000) where id = 3")
    [row] = sampled(scanned, BAD_COUNTRY, scan=Scan(CHART, days(2)))
    assert row[3] == {"country": "x" * 100}


def test_a_sample_is_small_and_of_the_scanned_days(scanned: PgConnection) -> None:
    assert len(sampled(scanned, BAD_EMAIL, limit=1)) == 1
    assert [r[1] for r in sampled(scanned, BAD_EMAIL, scan=Scan(CHART, days(1)))] == ["raw-1-1"]


def test_a_newer_scan_of_the_same_days_replaces_the_sample(scanned: PgConnection) -> None:
    first_day = Scan(CHART, days(1))
    sampled(scanned, BAD_EMAIL, BAD_COUNTRY)
    sampled(scanned, BAD_EMAIL, scan=first_day)
    sampled(scanned, BAD_COUNTRY, scan=first_day)
    rows = scanned.execute(
        "select check_name, count(*) from pipeline.quality_failed_row group by 1 order by 1"
    ).fetchall()
    assert rows == [("invalid__country", 3), ("invalid__email", 2)]


def test_what_passes_or_is_about_no_single_row_has_no_sample(scanned: PgConnection) -> None:
    checks = [
        check(Rule.MISSING, "email", given=MissingParameters()),
        check(Rule.ROW_COUNT, given=RowCountParameters(of_all_days=False)),
        user_check("metric", {"expression": "count(*)", "threshold": {"must_be": 0}}),
    ]
    assert sampled(scanned, *checks) == []


REFERENCE = ReferenceParameters(Table("chart", "crm__countries"), "id")


@pytest.mark.parametrize(
    "one",
    [
        check(Rule.MISSING, "email", given=MissingParameters(empty_is_missing=True)),
        check(Rule.INVALID, "amount", given=ValueLimits(minimum=2, maximum=3)),
        check(Rule.TEXT_DAMAGE, "email", given=TextDamageParameters("\ufffd")),
        check(Rule.CAST_LOSS),
        check(Rule.PAIR, "starts", "ends", given=PairParameters("starts", "ends")),
        check(Rule.DUPLICATE, "country", given=DuplicateParameters(())),
        check(Rule.DUPLICATE, "country", given=DuplicateParameters(("_atlas_partition",))),
        check(Rule.DUPLICATE, "country", given=DuplicateParameters((), repeats_are_one=True)),
        check(Rule.REFERENCE, "country", given=REFERENCE),
        user_check(
            "failed_rows",
            {"expression": "amount > 1", "filter": "id < 4", "threshold": {"must_be": 0}},
        ),
        *(
            check(Rule.HISTORY, given=HistoryParameters(rule, Table("navigate", STREAM.table_name)))
            for rule in HistoryRule
        ),
    ],
    ids=lambda one: f"{one.name}-{getattr(one.parameters, 'within', '')}",
)
@pytest.mark.parametrize("scan", [WHOLE, Scan(CHART, days(1))], ids=["all days", "a day"])
def test_as_many_rows_are_found_as_were_counted(
    warehouse: PgConnection, one: Check, scan: Scan
) -> None:
    early, late = "2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"
    charted(
        warehouse,
        [
            record(n, day=1 + n % 2, email=e, amount=n, country=c, starts=s, ends=late)
            for n, (e, c, s) in enumerate(
                [
                    ("a", "FR", early),
                    ("", "FR", late),
                    (None, "DE", "2024-02-01T00:00:00Z"),
                    ("\ufffd", None, None),
                    ("e", "FR", "2024-03-01T00:00:00Z"),
                    ("e", "DE", early),
                ]
            )
        ]
        + [record(9, amount="lots", country="FR", email="\ufffd")],
    )
    warehouse.execute("create table chart.crm__countries (id varchar)")
    warehouse.execute("insert into chart.crm__countries values ('DE')")
    navigate(warehouse, STREAM)
    counted = outcomes(warehouse, one, scan=scan)[one.name]
    query = failing_rows(warehouse, scan, one, table_columns(warehouse, CHART))
    assert query is not None
    row = warehouse.execute(
        sql.SQL("select count(*), count(distinct _airbyte_raw_id) from ({}) as failing").format(
            query
        )
    ).fetchone()
    assert row == (counted.failed, counted.failed)
    assert counted.failed or one.rule is Rule.HISTORY


def test_fields_are_personal_by_property_and_by_column(scanned: PgConnection) -> None:
    assert personal_fields(scanned, STREAM, [("id",)]) == PersonalFields(
        frozenset({"email"}), in_key=False, is_scanned=True
    )
    assert personal_fields(scanned, STREAM, [("id",), ("email", "part")]).in_key


def test_of_a_stream_that_nobody_scanned_nothing_is_known(warehouse: PgConnection) -> None:
    charted(warehouse, [])
    assert personal_fields(warehouse, STREAM, [("id",)]) == PersonalFields()
