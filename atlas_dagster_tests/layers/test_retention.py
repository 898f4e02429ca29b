"""Retention drops what is old and in chart; chart, navigate and later loads do not notice."""

from __future__ import annotations

from datetime import date, timedelta

import psycopg
import pytest
from psycopg import sql

from atlas_dagster.layers.retention import (
    OldVersions,
    drop_old_versions,
    find_old_versions,
    first_kept_day,
)
from atlas_dagster.warehouse import PgConnection, connect, lock_transaction
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
    purge,
    read_navigate,
    rows,
)
from atlas_dagster_tests.properties.oracle import Version
from atlas_dagster_tests.properties.player import check_navigate, drop_navigate, swap_landing

STREAM = make_stream({"id": {"type": "integer"}, "name": {"type": "string"}})
TABLE = STREAM.table_name
VERSIONS = [
    Version("a", at(1), {"id": 1, "name": "Ann"}),
    Version("b", at(2), {"id": 1, "name": "Bea"}),
    Version("c", at(2, 23, 59, 999_999), {"id": 2, "name": "Cid"}),
    Version("d", at(3), {"id": 2, "name": "Dan"}),
]


def day(number: int) -> date:
    return at(number).date()


@pytest.fixture
def built(warehouse: PgConnection) -> PgConnection:
    """Four versions of three days, in all layers."""
    create_landing(warehouse, STREAM)
    land(warehouse, STREAM, VERSIONS)
    build(warehouse, STREAM)
    return warehouse


def raw_ids(connection: PgConnection, layer: str = "explore") -> list[str]:
    query = sql.SQL("select _airbyte_raw_id from {}.crm__users order by 1")
    found = connection.execute(query.format(sql.Identifier(layer))).fetchall()
    return [raw_id for (raw_id,) in found]


def kept_count(connection: PgConnection) -> int:
    query = "select rows from pipeline.layer_table where layer = 'explore'"
    row = connection.execute(query).fetchone()
    assert row
    return row[0]


def test_versions_of_the_days_before_are_dropped_and_counted(built: PgConnection) -> None:
    assert purge(built, STREAM, day(3)) == OldVersions(day(3), {day(1): 1, day(2): 2}, staying=0)
    assert raw_ids(built) == ["d"]
    assert kept_count(built) == 1
    assert raw_ids(built, "chart") == ["a", "b", "c", "d"]


def test_the_plan_is_what_is_then_done_and_changes_nothing_itself(built: PgConnection) -> None:
    plan = find_old_versions(built, TABLE, day(3))
    assert raw_ids(built) == ["a", "b", "c", "d"]
    assert purge(built, STREAM, day(3)) == plan
    assert find_old_versions(built, TABLE, day(3)) == OldVersions(day(3), {}, 0)


def test_a_version_that_chart_does_not_hold_stays_until_it_does(built: PgConnection) -> None:
    late = [Version(f"late {n}", at(1), {"id": 3, "name": "Eve"}) for n in range(2)]
    land(built, STREAM, late)
    load(built, STREAM)
    assert purge(built, STREAM, day(2)) == OldVersions(day(2), {day(1): 1}, staying=2)
    assert raw_ids(built) == ["b", "c", "d", "late 0", "late 1"]
    chart(built, STREAM, days=(day(1), day(1)))
    navigate(built, STREAM, days=(day(1), day(1)))
    assert purge(built, STREAM, day(2)) == OldVersions(day(2), {day(1): 2}, staying=0)
    check_navigate(built, STREAM, NO_RULES, [*VERSIONS, *late])


def test_nothing_is_dropped_before_there_is_a_chart(warehouse: PgConnection) -> None:
    create_landing(warehouse, STREAM)
    assert purge(warehouse, STREAM, day(9)) == OldVersions(day(9), {}, 0)
    land(warehouse, STREAM, VERSIONS)
    load(warehouse, STREAM)
    assert purge(warehouse, STREAM, day(9)) == OldVersions(day(9), {}, staying=4)
    assert raw_ids(warehouse) == ["a", "b", "c", "d"]


def test_a_version_that_chart_found_invalid_may_go_as_well(warehouse: PgConnection) -> None:
    create_landing(warehouse, STREAM)
    land(warehouse, STREAM, [Version("a", at(1), {"id": None, "name": "Ann"})])
    build(warehouse, STREAM)
    assert purge(warehouse, STREAM, day(2)).rows == 1
    assert [row["_atlas_valid"] for row in rows(warehouse, STREAM, "chart")] == [False]


def test_what_claims_to_be_older_than_any_day_goes_too(built: PgConnection) -> None:
    built.execute(
        "insert into landing.users values ('x', '-infinity', '{}', 0, 9, 'X'),"
        " ('y', '0044-03-15 BC', '{}', 0, 9, 'Y'), ('z', 'infinity', '{}', 0, 9, 'Z')"
    )
    load(built, STREAM)
    chart(built, STREAM, days=(date.min, date.max))
    everything = first_kept_day(10**9, day(3))
    assert find_old_versions(built, TABLE, everything).going == {date.min: 2}
    assert purge(built, STREAM, day(3)).going == {date.min: 2, day(1): 1, day(2): 2}
    assert raw_ids(built) == ["d", "z"]


def test_many_versions_go_in_batches_of_whole_days_and_progress_is_told(
    warehouse: PgConnection,
) -> None:
    create_landing(warehouse, STREAM)
    land(
        warehouse,
        STREAM,
        [
            Version(f"{n}-{k}", at(n), {"id": k, "name": "x"})
            for n, count in ((1, 2), (3, 2), (4, 5), (6, 1), (7, 1), (9, 1))
            for k in range(count)
        ],
    )
    build(warehouse, STREAM)
    told: list[str] = []
    old = find_old_versions(warehouse, TABLE, day(8))
    dropped = drop_old_versions(warehouse, TABLE, old, told.append, rows_a_batch=4)
    assert dropped == old
    assert dropped.rows == 11
    assert told == ["4 of 11 versions dropped", "9 of 11 versions dropped"]
    assert raw_ids(warehouse) == ["9-0"]
    assert kept_count(warehouse) == 1


def test_history_and_everything_built_afterwards_stay_as_they_were(built: PgConnection) -> None:
    before = read_navigate(built, STREAM), rows(built, STREAM, "chart")
    purge(built, STREAM, day(4))
    assert raw_ids(built) == []
    for days in ((day(1), day(1)), (day(2), day(3)), (day(1), day(9))):
        assert chart(built, STREAM, days=days).inserted == 0
        result = navigate(built, STREAM, days=days)
        assert (result.opened, result.closed, result.reopened, result.removed) == (0, 0, 0, 0)
    assert (read_navigate(built, STREAM), rows(built, STREAM, "chart")) == before
    drop_navigate(built, STREAM)
    navigate(built, STREAM)
    assert read_navigate(built, STREAM) == before[0]


def test_late_versions_find_the_history_that_explore_no_longer_holds(built: PgConnection) -> None:
    purge(built, STREAM, day(4))
    late = Version("late", at(1, 12), {"id": 1, "name": "Cleo"})
    land(built, STREAM, [late])
    build(built, STREAM)
    check_navigate(built, STREAM, NO_RULES, [*VERSIONS, late])


def test_the_next_load_takes_what_is_new_only(built: PgConnection) -> None:
    purge(built, STREAM, day(3))
    land(built, STREAM, [Version("e", at(4), {"id": 1, "name": "Eve"})])
    result = load(built, STREAM)
    assert (result.days, result.total) == ({day(4): 1}, 2)


def rewrite(connection: PgConnection) -> None:
    connection.execute("alter table landing.users alter name type text using name || ''")


def deliver_again(connection: PgConnection) -> None:
    land(connection, STREAM, VERSIONS)


@pytest.mark.parametrize("disturb", ["swap", "rewrite", "deliver again"])
def test_what_was_dropped_does_not_come_back_however_landing_is_rewritten(
    built: PgConnection, disturb: str
) -> None:
    purge(built, STREAM, day(3))
    match disturb:
        case "swap":
            swap_landing(built, STREAM)
        case "rewrite":
            rewrite(built)
        case _:
            deliver_again(built)
    assert load(built, STREAM).rows == 0
    assert raw_ids(built) == ["d"]


def test_what_was_dropped_is_taken_again_where_chart_is_gone(built: PgConnection) -> None:
    purge(built, STREAM, day(3))
    built.execute("drop table chart.crm__users")
    swap_landing(built, STREAM)
    load(built, STREAM)
    build(built, STREAM)
    assert raw_ids(built) == ["a", "b", "c", "d"]
    check_navigate(built, STREAM, NO_RULES, VERSIONS)


def test_an_explore_made_anew_holds_all_that_landing_has(built: PgConnection) -> None:
    purge(built, STREAM, day(3))
    built.execute("drop table explore.crm__users")
    load(built, STREAM)
    assert raw_ids(built) == ["a", "b", "c", "d"]
    swap_landing(built, STREAM)
    load(built, STREAM)
    assert raw_ids(built) == ["a", "b", "c", "d"]


def test_it_waits_for_a_load_and_for_a_chart_that_are_under_way(
    built: PgConnection, warehouse_url: str
) -> None:
    for layer in ("explore", "chart"):
        with connect(warehouse_url) as other:
            other.execute("set lock_timeout = '50ms'")
            with built.transaction():
                lock_transaction(built, f"{layer}/{TABLE}")
                with pytest.raises(psycopg.errors.LockNotAvailable):
                    purge(other, STREAM, day(3))
    assert len(raw_ids(built)) == 4


def test_the_first_day_that_is_kept() -> None:
    assert first_kept_day(1, date(2024, 3, 1)) == date(2024, 2, 29)
    assert first_kept_day(30, date(2024, 3, 31)) == date(2024, 3, 1)
    assert first_kept_day(10**12, date(2024, 3, 1)) == date.min + timedelta(days=1)


@pytest.mark.parametrize(
    ("going", "staying", "sentence"),
    [
        ({}, 0, "0 versions of 0 days before 2024-01-03 dropped"),
        ({day(1): 1200, day(2): 1}, 0, "1,201 versions of 2 days before 2024-01-03 dropped"),
        (
            {day(1): 1},
            1000,
            "1 version of 1 day before 2024-01-03 dropped;"
            " 1,000 stay: not in chart yet, or still in landing",
        ),
    ],
)
def test_what_it_tells(going: dict[date, int], staying: int, sentence: str) -> None:
    assert OldVersions(day(3), going, staying).told("dropped") == sentence
