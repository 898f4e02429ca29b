"""What PostgreSQL cannot parse of a user's checks is told before a run, and nothing is executed."""

from __future__ import annotations

import pytest

from atlas_dagster.quality.spec import Json
from atlas_dagster.quality.sql_mistakes import sql_mistakes
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.quality.support import CHART, charted, record, user_check

NONE: dict[str, Json] = {"threshold": {"must_be": 0}}


def told(connection: PgConnection, kind: str, body: dict[str, Json], column: str | None) -> str:
    charted(connection, [record(1)])
    found = sql_mistakes(connection, CHART, [user_check(kind, {**body, **NONE}, column)])
    return "; ".join(map(str, found))


@pytest.mark.parametrize(
    ("kind", "body", "column", "said"),
    [
        ("failed_rows", {"expression": "agge < 16"}, None, 'column "agge" does not exist'),
        ("failed_rows", {"query": "selec 1"}, None, 'syntax error at or near "selec"'),
        ("metric", {"expression": "sum(agge)"}, None, 'column "agge" does not exist'),
        ("metric", {"query": "select count(*) from nobody"}, None, 'relation "nobody" does not'),
        ("missing", {"filter": "agge > 1"}, "country", 'column "agge" does not exist'),
        (
            "invalid",
            {"valid_format": {"regex": "[", "name": "x"}},
            "country",
            "invalid regular expression",
        ),
        (
            "failed_rows",
            {"query": "select 1", "rows_tested_query": "select agge"},
            None,
            'column "agge" does not exist',
        ),
    ],
)
def test_a_mistake_is_told_in_postgresqls_words(
    warehouse: PgConnection, kind: str, body: dict[str, Json], column: str | None, said: str
) -> None:
    assert said in told(warehouse, kind, body, column)


@pytest.mark.parametrize(
    ("kind", "body", "column"),
    [
        ("failed_rows", {"expression": "id < 16"}, None),
        ("failed_rows", {"query": "select 1 / 0"}, None),
        ("metric", {"query": "select pg_sleep(60)"}, None),
        ("metric", {"expression": "sum(id)"}, None),
        ("missing", {}, "country"),
        ("invalid", {"valid_format": {"regex": "^a", "name": "x"}}, "country"),
        ("invalid", {"valid_values": ["a"]}, "country"),
        ("duplicate", {}, "country"),
        ("duplicate", {"columns": ["id", "country"]}, None),
        ("freshness", {"column": "_airbyte_extracted_at", "threshold": {}}, None),
        ("aggregate", {"function": "avg"}, "id"),
        ("row_count", {}, None),
        (
            "invalid",
            {
                "valid_reference_data": {
                    "dataset": f"{CHART.schema}/{CHART.name}",
                    "column": "country",
                }
            },
            "country",
        ),
    ],
)
def test_what_can_be_parsed_is_no_mistake_and_is_not_executed(
    warehouse: PgConnection, kind: str, body: dict[str, Json], column: str | None
) -> None:
    assert told(warehouse, kind, body, column) == ""
