"""Input that should not be, through all layers: nothing fails, and nothing is lost."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from psycopg import sql

from atlas_dagster.rules import StreamRules
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.layers.support import (
    NO_RULES,
    at,
    build,
    chart,
    create_landing,
    land,
    load,
    make_stream,
    navigate,
    read_navigate,
)
from atlas_dagster_tests.properties.oracle import Version
from atlas_dagster_tests.properties.player import check_navigate

STREAM = make_stream({"id": {"type": "integer"}, "name": {"type": "string"}})
EVERY_DAY = (date.min, date.max)
FIRST_PARTITION = (date.min, date(2020, 1, 1))
LAST_PARTITION = (date(2026, 1, 1), date.max)

Segment = tuple["str | None", ...]


MEASURES = make_stream(
    {
        "id": {"type": "integer"},
        "amount": {"type": "number"},
        "day": {"type": "string", "format": "date"},
        "instant": {"type": "string", "format": "date-time"},
        "naive": {
            "type": "string",
            "format": "date-time",
            "airbyte_type": "timestamp_without_timezone",
        },
    }
)


def land_at(connection: PgConnection, raw_id: str, instant: str, key: int = 1) -> None:
    """A landed row whose ``_airbyte_extracted_at`` is whatever PostgreSQL takes for an instant."""
    connection.execute(
        "insert into landing.users values (%s, %s, '{}', 0, %s, %s)", (raw_id, instant, key, raw_id)
    )


def land_measure(
    connection: PgConnection, raw_id: str, day: int, key: int, column: str, value: str
) -> None:
    """A landed row with one value as PostgreSQL spells it."""
    query = sql.SQL(
        "insert into landing.users (_airbyte_raw_id, _airbyte_extracted_at, _airbyte_meta, id, {})"
        " values (%s, %s, '{{}}', %s, %s)"
    ).format(sql.Identifier(column))
    connection.execute(query, (raw_id, at(day), key, value))


def segments(connection: PgConnection) -> list[Segment]:
    """Raw id, begin, end and how it ended, as text: Python has no infinite instant."""
    return connection.execute(
        """
        select _airbyte_raw_id, _atlas_valid_from::text, _atlas_valid_to::text, _atlas_closed_by
        from navigate.crm__users as navigate
        order by navigate._atlas_natural_key, navigate._atlas_valid_from
        """
    ).fetchall()


OLD = ["-infinity", "0044-03-15 12:00:00+00 BC", "1970-01-01 00:00:00+00"]
NEW = ["2070-01-01 00:00:00+00", "20000-01-01 00:00:00+00", "infinity"]
DAYS = [date.min, date.min, date(1970, 1, 1), date(2070, 1, 1), date.max, date.max]


@pytest.mark.parametrize("first_load", [True, False], ids=["in the first load", "later"])
@pytest.mark.parametrize(
    ("instant", "day"),
    [*zip(OLD + NEW, DAYS, strict=True)],
)
def test_a_version_of_an_impossible_time_counts_for_a_day_that_python_has(
    warehouse: PgConnection, instant: str, day: date, first_load: bool
) -> None:
    create_landing(warehouse, STREAM)
    if not first_load:
        load(warehouse, STREAM)
    land_at(warehouse, "a", instant)
    assert load(warehouse, STREAM).days == {day: 1}


def test_the_first_partition_holds_what_is_older_than_any_and_the_last_what_is_newer(
    warehouse: PgConnection,
) -> None:
    create_landing(warehouse, STREAM)
    for number, instant in enumerate(OLD + NEW):
        land_at(warehouse, str(number), instant)
    load(warehouse, STREAM)
    assert [chart(warehouse, STREAM, days=d).rows for d in (LAST_PARTITION, FIRST_PARTITION)] == [
        len(NEW),
        len(OLD),
    ]
    between = (FIRST_PARTITION[1] + timedelta(days=1), LAST_PARTITION[0] - timedelta(days=1))
    assert chart(warehouse, STREAM, days=between).rows == 0


@pytest.mark.parametrize("days", [(LAST_PARTITION, FIRST_PARTITION), (EVERY_DAY,)])
def test_impossible_times_stand_in_history_in_their_order(
    warehouse: PgConnection, days: tuple[tuple[date, date], ...]
) -> None:
    create_landing(warehouse, STREAM)
    load(warehouse, STREAM)
    chart(warehouse, STREAM)
    navigate(warehouse, STREAM)
    for number, instant in enumerate(OLD + NEW):
        land_at(warehouse, str(number), instant)
    load(warehouse, STREAM)
    for chosen in days:
        assert chart(warehouse, STREAM, days=chosen).inserted > 0
        navigate(warehouse, STREAM, days=chosen)
    instants = [*OLD, *NEW]
    expected = [
        (str(number), begin, end, "update" if end else None)
        for number, (begin, end) in enumerate(zip(instants, [*instants[1:], None], strict=True))
    ]
    assert segments(warehouse) == expected
    warehouse.execute(sql.SQL("drop table navigate.crm__users cascade"))
    navigate(warehouse, STREAM)
    assert segments(warehouse) == expected


def test_a_version_of_an_impossible_time_is_built_once(warehouse: PgConnection) -> None:
    create_landing(warehouse, STREAM)
    for number, instant in enumerate(OLD + NEW):
        land_at(warehouse, str(number), instant)
    load(warehouse, STREAM)
    for _ in range(2):
        chart(warehouse, STREAM, days=EVERY_DAY)
        navigate(warehouse, STREAM, days=EVERY_DAY)
    again = navigate(warehouse, STREAM, days=EVERY_DAY)
    assert (again.opened, again.closed, again.removed) == (0, 0, 0)
    assert (again.count.rows, again.count.current) == (len(OLD + NEW), 1)


BEYOND_INSTANTS = "5874897-12-31"

# What a column of landing can hold, as JSON has it; what no column of chart should is kept beside.
ODD = [
    ("amount", "NaN", "misfit"),
    ("amount", "Infinity", "misfit"),
    ("amount", "-Infinity", "misfit"),
    ("amount", "1e1000", "fits"),
    ("amount", "-0.000", "fits"),
    ("amount", f"{10**200}.{'1' * 200}", "fits"),
    ("day", "infinity", "misfit"),
    ("day", "-infinity", "misfit"),
    ("day", "0044-03-15 BC", "fits"),
    ("day", "4713-01-01 BC", "fits"),
    ("day", BEYOND_INSTANTS, "fits"),
    ("instant", "infinity", "misfit"),
    ("instant", "-infinity", "misfit"),
    ("instant", "0044-03-15 12:00:00 BC", "fits"),
    ("instant", "294276-12-31 23:59:59.999999", "fits"),
    ("instant", "4714-11-24 00:00:00+00 BC", "fits"),
    ("naive", "infinity", "misfit"),
    ("naive", "0044-03-15 12:00:00 BC", "fits"),
    ("naive", "294276-12-31 23:59:59.999999", "fits"),
]


def odd_values(column: str, *, fitting: bool) -> list[str]:
    return [v for c, v, outcome in ODD if c == column and (outcome == "fits") is fitting]


def test_odd_values_go_through_all_layers_and_a_change_to_them_is_history(
    warehouse: PgConnection,
) -> None:
    """Each has a key of its own: a plain value, the odd one twice, and the plain one again."""
    create_landing(warehouse, MEASURES)
    for day in range(1, 5):
        for key, (column, value, _) in enumerate(ODD):
            plain = "1" if column == "amount" else "2024-01-01"
            land_measure(
                warehouse, f"{key:02}/{day}", day, key, column, (plain, value)[day in (2, 3)]
            )
        build(warehouse, MEASURES)
    assert sorted(str(segment[0]) for segment in segments(warehouse)) == [
        f"{key:02}/{day}" for key in range(len(ODD)) for day in (1, 2, 4)
    ]
    for key, (column, _, outcome) in enumerate(ODD):
        query = sql.SQL(
            "select {} is null, _atlas_errors is null, _atlas_valid from chart.crm__users"
            " where _airbyte_raw_id = %s"
        ).format(sql.Identifier(column))
        fits = outcome == "fits"
        assert warehouse.execute(query, (f"{key:02}/2",)).fetchone() == (not fits, fits, fits)


@pytest.mark.parametrize("column", ["amount", "day", "instant", "naive"])
def test_an_odd_value_is_a_key_where_it_fits_and_no_history_where_it_does_not(
    warehouse: PgConnection, column: str
) -> None:
    rules = StreamRules(natural_key=((column,),))
    create_landing(warehouse, MEASURES)
    fitting = odd_values(column, fitting=True)
    for day in (1, 2):
        for number, value in enumerate(fitting + odd_values(column, fitting=False)):
            land_measure(warehouse, f"{number}/{day}", day, day, column, value)
        build(warehouse, MEASURES, rules)
    assert sorted(str(segment[0]) for segment in segments(warehouse)) == [
        f"{number}/{day}" for number in range(len(fitting)) for day in (1, 2)
    ]


@pytest.mark.parametrize("column", ["day", "instant", "naive"])
def test_an_odd_value_is_the_time_where_it_fits_and_else_the_extraction_counts(
    warehouse: PgConnection, column: str
) -> None:
    rules = StreamRules(time_column=column)
    create_landing(warehouse, MEASURES)
    expected: dict[str | None, str] = {}
    fitting = odd_values(column, fitting=True)
    land_measure(warehouse, "plain", 1, 0, column, "2024-01-01")
    build(warehouse, MEASURES, rules)
    for key, value in enumerate(fitting + odd_values(column, fitting=False)):
        land_measure(warehouse, f"{key}", 2, key, column, value)
        is_instant = value in fitting and value != BEYOND_INSTANTS
        expected[f"{key}"] = value[:10] if is_instant else "2024-01-02"
    build(warehouse, MEASURES, rules)
    begins = {raw_id: str(begin)[:10] for raw_id, begin, *_ in segments(warehouse)}
    assert begins == {"plain": "2024-01-01", **expected}


TEXTS = {
    "control characters": "".join(map(chr, [*range(1, 32), 127, *range(128, 160)])),
    "what looks like escapes": r"\u0000 \ud800 \udc00\ud800 \x00 \\ \" \n",
    "marks of direction and order": "\ufeff\u200b\u202e\u2028\u2029\ufffe\uffff\ufffd",
    "the last characters there are": "\U0010ffff\U0001f600e\u0301",
    "a megabyte": "x" * 2**20,
    "a megabyte of characters": "é" * 2**19,
    "quotes and dollars": "'\"$$%s{}--;/*",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_any_text_goes_through_all_layers(warehouse: PgConnection, text: str) -> None:
    """As content, as a key, and as a field and its name inside an object."""
    stream = make_stream({"name": {"type": "string"}, "box": {"type": "object"}}, key=(("name",),))
    create_landing(warehouse, stream)
    keys = (text, f"{text}.", f".{text}")
    versions = [
        Version(f"{key}/{day}", at(day), {"name": name, "box": {text[:99]: [text], "v": change}})
        for day, change in ((1, 1), (2, 1.0), (3, text), (4, f"{text}."))
        for key, name in enumerate(keys)
    ]
    for day in range(1, 5):
        land(warehouse, stream, [v for v in versions if v.extracted_at == at(day)])
        build(warehouse, stream)
    assert len(read_navigate(warehouse, stream)) == 3 * len(keys)
    check_navigate(warehouse, stream, NO_RULES, versions)


def test_a_key_that_a_sync_delivers_twice_at_one_instant_counts_once(
    warehouse: PgConnection,
) -> None:
    versions = [
        Version("b", at(1), {"id": 1, "name": "Bea"}),
        Version("a", at(1), {"id": 1, "name": "Ann"}),
        Version("d", at(2), {"id": 1, "name": "Bea"}),
        Version("c", at(2), {"id": 1, "name": "Cid"}),
    ]
    create_landing(warehouse, STREAM)
    for version in versions:
        land(warehouse, STREAM, [version])
        build(warehouse, STREAM)
    assert [segment[0] for segment in segments(warehouse)] == ["b"]
    check_navigate(warehouse, STREAM, NO_RULES, versions)
