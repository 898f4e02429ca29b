"""What fits each column type, on the server at hand; the rest is kept beside, and fails nothing.

Source of the rules: airbytehq/airbyte, load CDK, data/AirbyteValueCoercer.kt; PostgreSQL's own
inputs that data never means (``now``, ``infinity``, ``0x1F``, ``1_000``) do not fit.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from atlas_dagster.warehouse import PgConnection, connect
from atlas_dagster_tests.layers.support import (
    at,
    chart,
    insert_explore,
    make_stream,
    rows,
    start_layers,
)
from atlas_dagster_tests.properties.oracle import Version

UTC = timezone.utc
SCHEMAS: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "instant": {"type": "string", "format": "date-time"},
    "naive": {
        "type": "string",
        "format": "date-time",
        "airbyte_type": "timestamp_without_timezone",
    },
    "time": {"type": "string", "format": "time", "airbyte_type": "time_without_timezone"},
    "timetz": {"type": "string", "format": "time"},
    "json": {"type": "object"},
}
BIG = 2**63

FITS: list[tuple[str, Any, Any]] = [
    ("text", "", ""),
    ("text", "00501", "00501"),
    ("text", "  a\n", "  a\n"),
    ("text", 12, "12"),
    ("text", True, "true"),
    ("text", {"a": 1}, '{"a": 1}'),
    ("integer", 0, 0),
    ("integer", -BIG, -BIG),
    ("integer", BIG - 1, BIG - 1),
    ("integer", 12.0, 12),
    ("integer", "12", 12),
    ("integer", "-12", -12),
    ("integer", "12.0", 12),
    ("integer", " 12\n", 12),
    ("number", 12, Decimal(12)),
    ("number", 12.5, Decimal("12.5")),
    ("number", 1e300, Decimal("1e300")),
    ("number", BIG * 10, Decimal(BIG * 10)),
    ("number", "12.50", Decimal("12.50")),
    ("number", "-1e3", Decimal(-1000)),
    ("boolean", True, True),
    ("boolean", False, False),
    ("date", "2024-02-29", date(2024, 2, 29)),
    ("date", "20240229", date(2024, 2, 29)),
    ("date", "2024/02/29", date(2024, 2, 29)),
    ("instant", "2024-02-29 12:00", datetime(2024, 2, 29, 12, tzinfo=UTC)),
    ("instant", "2024-02-29T12:00:00Z", datetime(2024, 2, 29, 12, tzinfo=UTC)),
    ("instant", "2024-02-29T12:00:00+02:00", datetime(2024, 2, 29, 10, tzinfo=UTC)),
    ("instant", "2024-02-29 12:00:00.123456", datetime(2024, 2, 29, 12, 0, 0, 123456, tzinfo=UTC)),
    ("naive", "2024-02-29T12:00:00", datetime(2024, 2, 29, 12)),
    ("time", "23:59:59.5", time(23, 59, 59, 500_000)),
    ("timetz", "12:00:00Z", time(12, tzinfo=UTC)),
    ("timetz", "12:00:00+02:00", time(12, tzinfo=timezone(timedelta(hours=2)))),
    ("json", {"a": [1, None]}, {"a": [1, None]}),
    ("json", [], []),
    ("json", "a", "a"),
    ("json", 1, 1),
    ("json", False, False),
]

MISFITS: list[tuple[str, Any]] = [
    ("date", "01/02/2023"),
    ("date", "29.02.2024"),
    ("instant", "10:00 today"),
    ("instant", "2024-02-29 allballs"),
    ("time", "10:00 today"),
    ("integer", BIG),
    ("integer", -BIG - 1),
    ("integer", 12.5),
    ("integer", 1e20),
    ("integer", "9223372036854775808"),
    ("integer", "0x1F"),
    ("integer", "1_000"),
    ("integer", "1,000"),
    ("integer", "12.5"),
    ("integer", ""),
    ("integer", " "),
    ("integer", "NaN"),
    ("integer", "\u00a012"),
    ("integer", "12\u2003"),
    ("integer", "\u0661\u0662"),
    ("integer", "1" * 200),
    ("integer", "1" * 140_000),
    ("integer", True),
    ("integer", [1]),
    ("integer", {"a": 1}),
    ("number", "NaN"),
    ("number", "infinity"),
    ("number", "-Infinity"),
    ("number", "0x1F"),
    ("number", "1_000"),
    ("number", "\u200312.5"),
    ("number", "12.5\u3000"),
    ("number", "1e"),
    ("number", "1" * 140_000),
    ("number", "0." + "1" * 20_000),
    ("number", "1e9999"),
    ("number", "."),
    ("number", "-"),
    ("number", ""),
    ("number", True),
    ("number", {"a": 1}),
    ("number", [1.5]),
    ("boolean", "true"),
    ("boolean", "t"),
    ("boolean", 1),
    ("boolean", 0),
    ("boolean", {}),
    ("boolean", []),
    ("date", "now"),
    ("date", "today"),
    ("date", "epoch"),
    ("date", "infinity"),
    ("date", "-infinity"),
    ("date", "2024-02-30"),
    ("date", "2024-13-01"),
    ("date", ""),
    ("date", 20240229),
    ("date", {"year": 2024}),
    ("instant", "now"),
    ("instant", "tomorrow"),
    ("instant", "infinity"),
    ("instant", "2024-02-30T00:00:00Z"),
    ("instant", "2024-02-29T25:00:00Z"),
    ("instant", "999999-01-01T00:00:00Z"),
    ("instant", "yesterday 12:00"),
    ("instant", 1_700_000_000),
    ("instant", [1]),
    ("naive", "now"),
    ("naive", "infinity"),
    ("naive", "12"),
    ("time", "allballs"),
    ("time", "now"),
    ("time", "25:00:00"),
    ("time", 12),
    ("timetz", "now"),
    ("timetz", "12:61:00Z"),
    ("timetz", {}),
]


CASES = [(kind, value) for kind, value, _ in FITS] + MISFITS + [(kind, None) for kind in SCHEMAS]
STREAM = make_stream({"id": {"type": "integer"}, **SCHEMAS})


@pytest.fixture(scope="module")
def charted(shared_database: str) -> list[dict[str, Any]]:
    """Chart's row of each case, in their order; all of them go through chart at once."""
    with connect(shared_database) as connection:
        start_layers(connection, STREAM)
        versions = [
            Version(f"{number:04}", at(1), {"id": number, kind: value})
            for number, (kind, value) in enumerate(CASES)
        ]
        insert_explore(connection, STREAM, versions)
        chart(connection, STREAM)
        return rows(connection, STREAM, "chart")


@pytest.mark.parametrize("number", range(len(FITS)), ids=lambda n: f"{FITS[n][:2]}"[:40])
def test_a_value_that_fits_is_typed(charted: list[dict[str, Any]], number: int) -> None:
    kind, _, typed = FITS[number]
    row = charted[number]
    assert row[kind] == typed
    assert type(row[kind]) is type(typed)
    assert (row["id"], row["_atlas_valid"], row["_atlas_errors"]) == (number, True, None)


@pytest.mark.parametrize("number", range(len(MISFITS)), ids=lambda n: f"{MISFITS[n]}"[:40])
def test_a_value_that_does_not_fit_is_null_and_kept_beside(
    charted: list[dict[str, Any]], number: int
) -> None:
    kind, value = MISFITS[number]
    row = charted[len(FITS) + number]
    assert row[kind] is None
    assert row["id"] == len(FITS) + number
    assert (row["_atlas_valid"], row["_atlas_errors"]) == (False, {kind: value})


def test_null_is_no_misfit(charted: list[dict[str, Any]]) -> None:
    for row in charted[len(FITS) + len(MISFITS) :]:
        assert all(row[kind] is None for kind in SCHEMAS)
        assert (row["_atlas_valid"], row["_atlas_errors"]) == (True, None)


def test_several_misfits_of_a_row_are_all_kept(warehouse: PgConnection) -> None:
    start_layers(warehouse, STREAM)
    bad = dict(MISFITS)
    good = {kind: value for kind, value, _ in FITS if kind not in bad}
    insert_explore(warehouse, STREAM, [Version("a", at(1), {"id": 1, **good, **bad})])
    result = chart(warehouse, STREAM)
    assert (result.rows, result.invalid) == (1, 1)
    (row,) = rows(warehouse, STREAM, "chart")
    assert (row["id"], row["_atlas_errors"]) == (1, bad)
    assert row["text"] is not None
    assert row["json"] is not None
