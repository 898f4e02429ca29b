"""Input that should not be, through all layers: nothing fails, and nothing is lost."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from psycopg import sql

from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.layers.support import (
    chart,
    create_landing,
    load,
    make_stream,
    navigate,
)

STREAM = make_stream({"id": {"type": "integer"}, "name": {"type": "string"}})
EVERY_DAY = (date.min, date.max)
FIRST_PARTITION = (date.min, date(2020, 1, 1))
LAST_PARTITION = (date(2026, 1, 1), date.max)

Segment = tuple["str | None", ...]


def land_at(connection: PgConnection, raw_id: str, instant: str, key: int = 1) -> None:
    """A landed row whose ``_airbyte_extracted_at`` is whatever PostgreSQL takes for an instant."""
    connection.execute(
        "insert into landing.users values (%s, %s, '{}', 0, %s, %s)", (raw_id, instant, key, raw_id)
    )


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
