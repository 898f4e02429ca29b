"""A layer's table as DataFrames: which rows, of which types, in how much memory."""

from __future__ import annotations

import math
import subprocess
import sys
from contextlib import closing
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from atlas_dagster.catalog import Table
from atlas_dagster.errors import WarehouseError
from atlas_dagster.layers.frames import AsOf, Days, end_of, read_chunks, read_frame
from atlas_dagster.warehouse import PgConnection, connect
from atlas_dagster_tests.layers.support import at, build, create_landing, land, make_stream
from atlas_dagster_tests.properties.oracle import Version

USERS = make_stream({"id": {"type": "integer"}, "name": {"type": "string"}})
NAVIGATE = Table("navigate", USERS.table_name)
THINGS = Table("chart", "things")


def things(warehouse: PgConnection, columns: str, *rows: str) -> None:
    """A table with these columns and rows, as SQL has them."""
    warehouse.execute(f"create table chart.things ({columns})".encode())
    for row in rows:
        warehouse.execute(f"insert into chart.things values ({row})".encode())


def values(warehouse: PgConnection, columns: str, *rows: str) -> list[Any]:
    """What becomes of the values of the first column, in the order of their insertion."""
    things(warehouse, f"{columns}, n bigint generated always as identity", *rows)
    frame = read_frame(warehouse, THINGS).sort_values("n")
    return list(frame.iloc[:, 0])


@pytest.mark.parametrize(
    ("kind", "value", "dtype", "expected"),
    [
        ("bigint", "9223372036854775807", "Int64", 2**63 - 1),
        ("integer", "-2147483648", "Int32", -(2**31)),
        ("smallint", "7", "Int16", 7),
        ("real", "1.5", "Float32", 1.5),
        ("double precision", "0.1", "Float64", 0.1),
        ("boolean", "true", "boolean", True),
        ("varchar", "'表 \"x\", \\N'", "string", '表 "x", \\N'),
        ("varchar(9)", "''", "string", ""),
        ("text", "'NULL'", "string", "NULL"),
        (
            "uuid",
            "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
            "string",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        ),
        ("interval", "'1 day'", "string", "1 day"),
        (
            "timestamptz",
            "'2024-02-29 23:59:59.999999+01'",
            "datetime64[us, UTC]",
            pd.Timestamp("2024-02-29 22:59:59.999999Z"),
        ),
        (
            "timestamp(3)",
            "'0001-01-01'",
            "datetime64[us]",
            pd.Timestamp(datetime(1, 1, 1)),
        ),
        ("numeric", "'12345678901234567890.10'", "object", Decimal("12345678901234567890.10")),
        ("numeric(9,2)", "'1.5'", "object", Decimal("1.50")),
        ("date", "'9999-12-31'", "object", date(9999, 12, 31)),
        ("date", "'0001-01-01'", "object", date(1, 1, 1)),
        ("time", "'12:30:00.000001'", "object", time(12, 30, 0, 1)),
        (
            "timetz",
            "'12:30+02'",
            "object",
            time(12, 30, tzinfo=timezone(timedelta(hours=2))),
        ),
        ("jsonb", '\'{"a": [1, null], "b": 1.5}\'', "object", {"a": [1, None], "b": 1.5}),
        ("jsonb", "'[1, 2]'", "object", [1, 2]),
        ("jsonb", "'\"text\"'", "object", "text"),
    ],
)
def test_each_type_is_kept_with_null_and_in_an_empty_frame(
    warehouse: PgConnection, kind: str, value: str, dtype: str, expected: object
) -> None:
    things(warehouse, f"v {kind}")
    empty = read_frame(warehouse, THINGS)
    warehouse.execute(f"insert into chart.things values ({value}), (null)".encode())
    full = read_frame(warehouse, THINGS)
    assert (str(empty["v"].dtype), str(full["v"].dtype)) == (dtype, dtype)
    assert (len(empty), len(full)) == (0, 2)
    (kept,) = [v for v in full["v"] if not (v is None or v is pd.NA or v is pd.NaT)]
    assert kept == expected
    assert type(kept) is type(expected) or dtype != "object"


def test_null_is_none_where_the_values_are_objects_of_python(warehouse: PgConnection) -> None:
    columns = "a numeric, b date, c jsonb, d time"
    things(warehouse, columns, "null, null, null, null", "null, null, 'null', null")
    frame = read_frame(warehouse, THINGS)
    assert all(value is None for name in "abcd" for value in frame[name])


def test_texts_of_jsonb_stay_objects(warehouse: PgConnection) -> None:
    things(warehouse, "v jsonb", "'\"a\"'", "'\"b\"'")
    assert read_frame(warehouse, THINGS)["v"].dtype == object


def test_numbers_of_jsonb_that_python_cannot_hold_are_decimals(warehouse: PgConnection) -> None:
    digits = "1" * 5000
    rows = (f"'[{digits}, 2]'", "'1e400'", f"'1{'0' * 400}.5'", "'123456789012345678901234567890'")
    long, integer, fraction, exact = values(warehouse, "v jsonb", *rows)
    assert long == [Decimal(digits), 2]
    assert integer == 10**400
    assert isinstance(fraction, Decimal)
    assert fraction == Decimal(f"1{'0' * 400}.5")
    assert exact == 123456789012345678901234567890


def test_a_number_that_is_none_is_no_null(warehouse: PgConnection) -> None:
    things(warehouse, "a numeric, b real", "'NaN', 'NaN'")
    frame = read_frame(warehouse, THINGS)
    exact, rough = frame["a"].iloc[0], frame["b"].array
    assert isinstance(exact, Decimal)
    assert exact.is_nan()
    assert isinstance(rough, pd.arrays.FloatingArray)
    assert math.isnan(rough._data[0])
    assert not rough._mask[0]


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("timestamptz", "infinity", "v has infinity"),
        ("timestamp", "-infinity", "v has -infinity"),
        ("date", "infinity", "v has infinity"),
        ("timestamptz", "10000-01-01", "v has 10000-01-01, and years go from 1 to 9999"),
        ("date", "0044-03-15 BC", "v has -043-03-15, and years go from 1 to 9999"),
        ("date", "5874897-12-31", "v has 5874897-12-31, and years go from 1 to 9999"),
        ("time", "24:00:00", "time not supported by Python"),
    ],
)
def test_a_time_that_python_cannot_hold_is_one_sentence_and_its_column_can_be_left_out(
    warehouse: PgConnection, kind: str, value: str, said: str
) -> None:
    things(warehouse, f"v {kind}, id bigint", f"null, 1), ('{value}', 2")
    with pytest.raises(WarehouseError) as caught:
        read_frame(warehouse, THINGS)
    assert str(caught.value).startswith("chart.things: a DataFrame cannot hold all of its values: ")
    assert said in str(caught.value)
    assert sorted(read_frame(warehouse, THINGS, columns=["id"])["id"]) == [1, 2]


def test_columns_come_in_the_order_asked_for_and_once(warehouse: PgConnection) -> None:
    things(warehouse, 'a bigint, "B c" bigint, "%s" bigint', "1, 2, 3")
    assert list(read_frame(warehouse, THINGS).columns) == ["a", "B c", "%s"]
    assert list(read_frame(warehouse, THINGS, columns=["%s", "a", "%s"]).columns) == ["%s", "a"]


def test_a_column_or_table_that_is_not_there_is_named(warehouse: PgConnection) -> None:
    with pytest.raises(WarehouseError, match=r"^chart\.things is not there: materialize "):
        read_chunks(warehouse, THINGS)
    things(warehouse, "a bigint, b bigint")
    with pytest.raises(WarehouseError, match=r"has no column 'c'; its columns: a, b$"):
        read_chunks(warehouse, THINGS, columns=["a", "c"])


def test_chunks_have_at_most_so_many_rows_and_together_all_of_them(warehouse: PgConnection) -> None:
    things(warehouse, "n bigint")
    warehouse.execute("insert into chart.things select generate_series(1, 10)")
    chunks = list(read_chunks(warehouse, THINGS, chunk_rows=4))
    assert [len(chunk) for chunk in chunks] == [4, 4, 2]
    assert sorted(pd.concat(chunks)["n"]) == list(range(1, 11))
    frame = read_frame(warehouse, THINGS)
    assert list(frame.index) == list(range(10))


def test_an_empty_table_is_one_empty_chunk(warehouse: PgConnection) -> None:
    things(warehouse, "n bigint")
    (chunk,) = read_chunks(warehouse, THINGS)
    assert (len(chunk), str(chunk["n"].dtype)) == (0, "Int64")


def test_chunks_show_one_state_of_the_table(warehouse: PgConnection, warehouse_url: str) -> None:
    things(warehouse, "n bigint", "1), (2), (3")
    chunks = read_chunks(warehouse, THINGS, chunk_rows=1)
    seen = [next(chunks)]
    with connect(warehouse_url) as other:
        other.execute("delete from chart.things")
    assert len([*seen, *chunks]) == 3


def test_a_reader_that_stops_early_leaves_the_connection_usable(warehouse: PgConnection) -> None:
    things(warehouse, "n bigint", "1), (2), (3")
    with closing(read_chunks(warehouse, THINGS, chunk_rows=1)) as chunks:
        next(chunks)
    assert len(read_frame(warehouse, THINGS)) == 3


@pytest.fixture
def history(warehouse: PgConnection) -> PgConnection:
    """A user renamed at noon of the 2nd, one that came on the 3rd; each layer built."""
    create_landing(warehouse, USERS)
    versions = [
        Version("a", at(1, 12), {"id": 1, "name": "Anna"}),
        Version("b", at(2, 12), {"id": 1, "name": "Ann"}),
        Version("c", at(3), {"id": 2, "name": "Ben"}),
    ]
    land(warehouse, USERS, versions)
    build(warehouse, USERS)
    return warehouse


def names(connection: PgConnection, selection: AsOf | Days | None) -> list[str]:
    return sorted(read_frame(connection, NAVIGATE, selection, ["name"])["name"])


def day(number: int) -> date:
    return date(2024, 1, number)


def test_navigate_is_read_whole_unless_told_otherwise(history: PgConnection) -> None:
    assert names(history, None) == ["Ann", "Anna", "Ben"]


@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        (at(1, 11, 59), []),
        (at(1, 12), ["Anna"]),
        (at(2, 11, 59), ["Anna"]),
        (at(2, 12), ["Ann"]),
        (datetime(2024, 1, 3, 1, tzinfo=timezone(timedelta(hours=2))), ["Ann"]),
        (at(3), ["Ann", "Ben"]),
    ],
)
def test_as_of_an_instant_navigate_has_what_was_valid_then(
    history: PgConnection, instant: datetime, expected: list[str]
) -> None:
    assert names(history, AsOf(instant)) == expected


@pytest.mark.parametrize(("number", "expected"), [(1, ["Anna"]), (2, ["Ann"]), (3, ["Ann", "Ben"])])
def test_the_end_of_a_day_is_its_last_instant(
    history: PgConnection, number: int, expected: list[str]
) -> None:
    assert names(history, end_of(day(number))) == expected


def test_the_end_of_time_is_what_is_current(history: PgConnection) -> None:
    assert names(history, end_of(date.max)) == ["Ann", "Ben"]


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (day(1), day(2), ["Ann", "Anna"]),
        (day(2), day(2), ["Ann", "Anna"]),
        (day(3), day(4), ["Ann", "Ben"]),
        (date.min, date(2023, 12, 31), []),
        (date.min, date.max, ["Ann", "Anna", "Ben"]),
    ],
)
def test_days_of_navigate_are_the_segments_valid_at_some_time_in_them(
    history: PgConnection, first: date, last: date, expected: list[str]
) -> None:
    assert names(history, Days(first, last)) == expected


@pytest.mark.parametrize("layer", ["explore", "chart"])
def test_days_of_explore_and_chart_are_their_partitions(history: PgConnection, layer: str) -> None:
    table = Table(layer, USERS.table_name)
    frame = read_frame(history, table, Days(day(2), day(3)), ["_airbyte_raw_id"])
    assert sorted(frame["_airbyte_raw_id"]) == ["b", "c"]
    assert len(read_frame(history, table, Days(date.min, date.max))) == 3


@pytest.mark.parametrize("layer", ["explore", "chart"])
def test_explore_and_chart_have_no_instants(history: PgConnection, layer: str) -> None:
    with pytest.raises(WarehouseError, match="holds record versions, which are valid at no inst"):
        read_chunks(history, Table(layer, USERS.table_name), AsOf(at(3)))


def test_every_column_of_every_layer_has_its_type(history: PgConnection) -> None:
    dtypes = {
        layer: read_frame(history, Table(layer, USERS.table_name)).dtypes.astype(str).to_dict()
        for layer in ("explore", "chart", "navigate")
    }
    assert dtypes["explore"]["data"] == "object"
    assert dtypes["chart"]["_airbyte_extracted_at"] == "datetime64[us, UTC]"
    assert (dtypes["chart"]["id"], dtypes["chart"]["_atlas_quality_score"]) == ("Int64", "Float32")
    assert dtypes["navigate"]["_atlas_surrogate_key"] == "string"
    assert dtypes["navigate"]["_atlas_is_current"] == "boolean"


PEAK = """
import resource, sys
from atlas_dagster.catalog import Table
from atlas_dagster.layers.frames import read_chunks
from atlas_dagster.warehouse import connect
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with connect(sys.argv[1]) as connection:
    chunks = read_chunks(connection, Table("chart", "things"), chunk_rows=2000)
    next(chunks), next(chunks), next(chunks)
    early = peak()
    rows = 6000 + sum(len(chunk) for chunk in chunks)
    print(rows, peak() - early)
"""


def test_memory_does_not_grow_with_the_table(warehouse: PgConnection, warehouse_url: str) -> None:
    things(warehouse, "n bigint, v text")
    warehouse.execute(
        "insert into chart.things select i, repeat(md5(i::text), 10) from generate_series(1, 2e5) i"
    )
    run = subprocess.run(
        [sys.executable, "-c", PEAK, warehouse_url], capture_output=True, text=True, check=True
    )
    rows, grown_kib = map(int, run.stdout.split())
    assert rows == 200_000  # some 80 MB of text
    assert grown_kib < 10_000


def test_pandas_is_not_imported_before_a_frame_is_read() -> None:
    code = "import sys, atlas_dagster.layers.frames as f; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
