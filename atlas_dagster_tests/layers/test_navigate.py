"""Navigate is business history: what opens and closes a segment, and what leaves no trace.

The rules as a whole are checked against an oracle in ``properties/``; here each one speaks alone.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import psycopg
import pytest

from atlas_dagster.errors import WarehouseError
from atlas_dagster.rules import StreamRules
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.layers.support import (
    at,
    build,
    chart,
    create_landing,
    insert_explore,
    land,
    make_stream,
    navigate,
    read_navigate,
    start_layers,
)
from atlas_dagster_tests.properties.oracle import Version
from atlas_dagster_tests.properties.player import check_navigate, drop_navigate

PROPERTIES = {
    "id": {"type": "integer"},
    "name": {"type": "string"},
    "seen_at": {"type": "string", "format": "date-time"},
    "_ab_cdc_deleted_at": {"type": "string"},
    "_ab_cdc_lsn": {"type": "number"},
}
STREAM = make_stream(PROPERTIES)
DELETED = {"_ab_cdc_deleted_at": "2024-01-01"}
Line = tuple[str, datetime, "datetime | None", "str | None"]


def version(raw_id: str, when: datetime, name: str | None = "Ann", **data: Any) -> Version:
    nothing = dict.fromkeys(PROPERTIES)
    return Version(raw_id, when, {**nothing, "id": 1, "name": name, **data})


def history_of(
    connection: PgConnection, *versions: Version, rules: StreamRules | None = None
) -> list[Line]:
    """Raw id, from, to and closed_by of each segment, by time."""
    if connection.execute("select to_regclass('explore.crm__users')").fetchone() == (None,):
        start_layers(connection, STREAM)
    insert_explore(connection, STREAM, versions)
    chart(connection, STREAM, rules or StreamRules())
    navigate(connection, STREAM, rules or StreamRules())
    return lines(connection)


def lines(connection: PgConnection) -> list[Line]:
    found = [
        (row.raw_id, row.valid_from, row.valid_to, row.closed_by)
        for row in read_navigate(connection, STREAM)
    ]
    return sorted(found, key=lambda line: line[1])


def test_an_update_closes_a_segment_and_opens_another(warehouse: PgConnection) -> None:
    assert history_of(
        warehouse, version("a", at(1)), version("b", at(2)), version("c", at(3), "Bea")
    ) == [("a", at(1), at(3), "update"), ("c", at(3), None, None)]


def test_a_delete_closes_and_a_comeback_opens_even_with_the_same_content(
    warehouse: PgConnection,
) -> None:
    assert history_of(
        warehouse,
        version("a", at(1)),
        version("b", at(2), **DELETED),
        version("c", at(3), **DELETED),
        version("d", at(4)),
    ) == [("a", at(1), at(2), "delete"), ("d", at(4), None, None)]


def test_a_delete_of_what_never_was_leaves_no_trace(warehouse: PgConnection) -> None:
    assert history_of(warehouse, version("a", at(1), **DELETED)) == []


@pytest.mark.parametrize(
    ("winner", "loser"),
    [
        (version("a", at(1), _ab_cdc_lsn=10), version("b", at(1), "Bea", _ab_cdc_lsn=9)),
        (version("a", at(1), _ab_cdc_lsn=0), version("b", at(1), "Bea")),
        (version("b", at(1), _ab_cdc_lsn=9), version("a", at(1), "Bea", _ab_cdc_lsn=9)),
        (version("b", at(1)), version("a", at(1), "Bea")),
        (version("a", at(1)), version("B", at(1), "Bea")),
        (version("\U0001f600", at(1)), version("\uffee", at(1), "Bea")),
        (version("a", at(1), _ab_cdc_lsn=2), version("b", at(1), _ab_cdc_lsn=1, **DELETED)),
    ],
    ids=["sequence", "any sequence", "raw id", "raw id alone", "case", "code point", "undone"],
)
@pytest.mark.parametrize("together", [True, False], ids=["together", "one by one"])
def test_of_one_instant_one_version_decides(
    warehouse: PgConnection, winner: Version, loser: Version, together: bool
) -> None:
    for order in [[winner, loser]] if together else [[winner], [loser]]:
        found = history_of(warehouse, *order)
    assert found == [(winner.raw_id, at(1), None, None)]


def test_of_one_instant_a_delete_comes_after_an_upsert(warehouse: PgConnection) -> None:
    gone = version("b", at(2), **DELETED)
    found = history_of(warehouse, version("a", at(1)), version("c", at(2), "Bea"), gone)
    assert found == [("a", at(1), at(2), "delete")]


def test_a_late_delete_at_the_instant_of_an_opening_undoes_it(warehouse: PgConnection) -> None:
    history_of(warehouse, version("c", at(2)))
    assert history_of(warehouse, version("b", at(2), **DELETED)) == []


def test_what_ended_a_segment_can_turn_out_to_be_something_else(warehouse: PgConnection) -> None:
    history_of(warehouse, version("a", at(1)), version("b", at(2), "Bea", _ab_cdc_lsn=1))
    gone = version("c", at(2), _ab_cdc_lsn=2, **DELETED)
    assert history_of(warehouse, gone) == [("a", at(1), at(2), "delete")]
    found = history_of(warehouse, version("d", at(2), "Bea", _ab_cdc_lsn=3))
    assert found == [("a", at(1), at(2), "update"), ("d", at(2), None, None)]


def test_a_late_version_divides_a_segment(warehouse: PgConnection) -> None:
    history_of(warehouse, version("a", at(1)), version("d", at(9), "Dan"))
    assert history_of(warehouse, version("b", at(5), "Bea")) == [
        ("a", at(1), at(5), "update"),
        ("b", at(5), at(9), "update"),
        ("d", at(9), None, None),
    ]


def test_a_late_version_with_the_content_of_the_next_segment_takes_its_place(
    warehouse: PgConnection,
) -> None:
    history_of(warehouse, version("a", at(1)), version("c", at(9), "Bea"))
    assert history_of(warehouse, version("b", at(5), "Bea")) == [
        ("a", at(1), at(5), "update"),
        ("b", at(5), None, None),
    ]


def test_a_late_version_can_reopen_what_an_overruled_delete_had_closed(
    warehouse: PgConnection,
) -> None:
    gone = version("b", at(5), _ab_cdc_lsn=1, **DELETED)
    assert history_of(warehouse, version("a", at(1)), gone) == [("a", at(1), at(5), "delete")]
    found = history_of(warehouse, version("c", at(5), _ab_cdc_lsn=2))
    assert found == [("a", at(1), None, None)]


def test_a_version_without_a_key_is_not_history(warehouse: PgConnection) -> None:
    assert history_of(warehouse, Version("a", at(1), {"id": None, "name": "Ann"})) == []


def test_a_change_of_an_ignored_column_opens_nothing(warehouse: PgConnection) -> None:
    rules = StreamRules(ignore=frozenset({"name"}))
    found = history_of(warehouse, version("a", at(1)), version("b", at(2), "Bea"), rules=rules)
    assert found == [("a", at(1), None, None)]
    assert read_navigate(warehouse, STREAM)[0].data["name"] == "Ann"


def test_the_source_time_orders_history(warehouse: PgConnection) -> None:
    rules = StreamRules(time_column="seen_at", ignore=frozenset({"seen_at"}))
    found = history_of(
        warehouse,
        version("a", at(1), seen_at="2024-01-20T00:00:00Z"),
        version("b", at(2), "Bea", seen_at="2024-01-10T00:00:00Z"),
        rules=rules,
    )
    assert found == [("b", at(10), at(20), "update"), ("a", at(20), None, None)]


def test_keys_of_any_length_have_histories_of_their_own(warehouse: PgConnection) -> None:
    rules = StreamRules(natural_key=(("name",),))
    names = ["x" * 5000 + end for end in ("a", "b", "a")]
    found = history_of(
        warehouse,
        *(version(f"{n}", at(n + 1), name, id=n) for n, name in enumerate(names)),
        rules=rules,
    )
    assert found == [
        ("0", at(1), at(3), "update"),
        ("1", at(2), None, None),
        ("2", at(3), None, None),
    ]


def test_a_build_that_changes_nothing_writes_nothing(warehouse: PgConnection) -> None:
    history_of(warehouse, version("a", at(1)), version("b", at(2), "Bea"))
    before = places(warehouse)
    result = navigate(warehouse, STREAM)
    assert (result.opened, result.closed, result.reopened, result.removed) == (0, 0, 0, 0)
    assert places(warehouse) == before


def test_a_build_touches_the_changed_keys_only(warehouse: PgConnection) -> None:
    others = [Version(f"o{n}", at(1), {"id": n, "name": "Oda"}) for n in range(2, 9)]
    history_of(warehouse, version("a", at(1)), *others)
    before = places(warehouse)
    history_of(warehouse, version("b", at(2), "Bea"))
    assert len(set(before) & set(places(warehouse))) == len(others)


def places(connection: PgConnection) -> list[tuple[Any, ...]]:
    """Where each row lies and which transaction wrote it: any write shows."""
    return connection.execute(
        "select _airbyte_raw_id, ctid::text, xmin::text, xmax::text from navigate.crm__users"
    ).fetchall()


def test_what_a_build_reports_is_what_it_did(warehouse: PgConnection) -> None:
    start_layers(warehouse, STREAM)
    insert_explore(warehouse, STREAM, [version("a", at(1)), version("d", at(9), "Dan")])
    assert what_happened(warehouse) == (2, 1, 0, 0, 2, 1)
    insert_explore(warehouse, STREAM, [version("e", at(10), "Eve")])
    assert what_happened(warehouse) == (1, 1, 0, 0, 3, 1)
    insert_explore(warehouse, STREAM, [version("f", at(11), **DELETED)])
    assert what_happened(warehouse) == (0, 1, 0, 0, 3, 0)
    insert_explore(warehouse, STREAM, [version("z", at(10), "Dan")])
    assert what_happened(warehouse) == (0, 0, 0, 1, 2, 0)
    insert_explore(warehouse, STREAM, [version("z", at(11), "Dan")][:0])
    assert what_happened(warehouse) == (0, 0, 0, 0, 2, 0)


def what_happened(connection: PgConnection) -> tuple[int | None, ...]:
    chart(connection, STREAM)
    result = navigate(connection, STREAM)
    counts = (result.count.rows, result.count.current)
    return (result.opened, result.closed, result.reopened, result.removed, *counts)


@pytest.mark.parametrize(
    "rules",
    [
        StreamRules(ignore=frozenset({"name", "seen_at"})),
        StreamRules(natural_key=(("name",),)),
        StreamRules(time_column="seen_at"),
    ],
    ids=["ignore", "natural_key", "time_column"],
)
def test_other_rules_make_another_history(warehouse: PgConnection, rules: StreamRules) -> None:
    create_landing(warehouse, STREAM)
    versions = [
        version("a", at(1), seen_at=at(9)),
        version("b", at(2), "Bea", seen_at=at(8)),
        version("c", at(3), seen_at=at(7)),
    ]
    land(warehouse, STREAM, versions)
    build(warehouse, STREAM)
    before = lines(warehouse)
    chart(warehouse, STREAM, rules, days=(at(1).date(), at(1).date()))
    result = navigate(warehouse, STREAM, rules, days=(at(1).date(), at(1).date()))
    assert result.rebuilt
    assert lines(warehouse) != before
    check_navigate(warehouse, STREAM, rules, versions)


def test_navigate_does_not_take_a_chart_of_other_rules_for_its_own(
    warehouse: PgConnection,
) -> None:
    rules = StreamRules(natural_key=(("name",),))
    create_landing(warehouse, STREAM)
    versions = [version("a", at(1)), version("b", at(2), "Bea"), version("c", at(3))]
    land(warehouse, STREAM, versions)
    build(warehouse, STREAM)
    before = lines(warehouse)
    with pytest.raises(WarehouseError) as error:
        navigate(warehouse, STREAM, rules)
    assert str(error.value) == (
        "crm/users: chart is stale: its rules of history changed; materialize it first"
    )
    assert lines(warehouse) == before
    chart(warehouse, STREAM, rules)
    navigate(warehouse, STREAM, rules)
    check_navigate(warehouse, STREAM, rules, versions)


def test_a_column_that_the_source_gains_opens_no_segment_by_itself(
    warehouse: PgConnection,
) -> None:
    history_of(warehouse, version("a", at(1)))
    wider = make_stream({"age": {"type": "integer"}, **PROPERTIES})
    insert_explore(warehouse, wider, [version("b", at(2)), version("c", at(3), age=7)])
    chart(warehouse, wider)
    navigate(warehouse, wider)
    assert lines(warehouse) == [("a", at(1), at(3), "update"), ("c", at(3), None, None)]
    assert [row.data["age"] for row in read_navigate(warehouse, wider)] == [None, 7]


def test_surrogate_keys_are_the_same_after_a_rebuild_and_differ_between_streams(
    warehouse: PgConnection,
) -> None:
    history_of(warehouse, version("a", at(1)), version("b", at(2), "Bea"))
    before = surrogates(warehouse)
    drop_navigate(warehouse, STREAM)
    navigate(warehouse, STREAM)
    assert surrogates(warehouse) == before
    other = make_stream(PROPERTIES, name="people", slug="people")
    start_layers(warehouse, other)
    insert_explore(warehouse, other, [version("a", at(1))])
    chart(warehouse, other)
    navigate(warehouse, other)
    assert not before & {row.surrogate_key for row in read_navigate(warehouse, other)}


def surrogates(connection: PgConnection) -> set[str]:
    return {row.surrogate_key for row in read_navigate(connection, STREAM)}


def test_the_view_shows_the_current_rows(warehouse: PgConnection) -> None:
    history_of(warehouse, version("a", at(1)), version("b", at(2), "Bea"))
    found = warehouse.execute("select _airbyte_raw_id, name from navigate.crm__users_current")
    assert found.fetchall() == [("b", "Bea")]


def test_the_function_shows_the_rows_as_of_an_instant(warehouse: PgConnection) -> None:
    history_of(
        warehouse,
        version("a", at(2)),
        version("b", at(4), "Bea"),
        version("c", at(6), _ab_cdc_deleted_at="2024-01-06"),
    )
    seen = {day: as_of(warehouse, at(day)) for day in (1, 2, 3, 4, 5, 6, 7)}
    assert seen == {1: [], 2: ["a"], 3: ["a"], 4: ["b"], 5: ["b"], 6: [], 7: []}


def as_of(connection: PgConnection, instant: datetime) -> list[str]:
    query = "select _airbyte_raw_id from navigate.crm__users_as_of(%s)"
    return [row[0] for row in connection.execute(query, (instant,))]


def test_view_and_function_show_the_columns_that_the_source_gains(
    warehouse: PgConnection,
) -> None:
    history_of(warehouse, version("a", at(1)))
    wider = make_stream({"age": {"type": "integer"}, **PROPERTIES})
    insert_explore(warehouse, wider, [version("c", at(3), age=7)])
    chart(warehouse, wider)
    navigate(warehouse, wider)
    for source in ("navigate.crm__users_current", "navigate.crm__users_as_of('2024-01-03')"):
        assert warehouse.execute(f"select age from {source}").fetchall() == [(7,)]


REFUSED: dict[str, type[psycopg.Error]] = {
    "set _atlas_valid_to = _atlas_valid_from": psycopg.errors.CheckViolation,
    "set _atlas_closed_by = null where _airbyte_raw_id = 'a'": psycopg.errors.CheckViolation,
    "set _atlas_closed_by = 'update'": psycopg.errors.CheckViolation,
    "set _atlas_closed_by = 'x' where _airbyte_raw_id = 'a'": psycopg.errors.CheckViolation,
    "set _atlas_valid_from = '2023-12-31'": psycopg.errors.UniqueViolation,
    "set _atlas_natural_key = null": psycopg.errors.NotNullViolation,
}


@pytest.mark.parametrize("change", REFUSED)
def test_the_database_refuses_what_is_no_history(warehouse: PgConnection, change: Any) -> None:
    history_of(warehouse, version("a", at(1)), version("b", at(2), "Bea"))
    with pytest.raises(REFUSED[change]):
        warehouse.execute("update navigate.crm__users " + change)


def test_the_database_refuses_a_second_current_segment_of_a_key(warehouse: PgConnection) -> None:
    history_of(warehouse, version("a", at(1)), version("b", at(2), "Bea"))
    warehouse.execute("create temporary table copied as table navigate.crm__users_current")
    warehouse.execute("update copied set _atlas_valid_from = '2024-01-09'")
    with pytest.raises(psycopg.errors.UniqueViolation):
        warehouse.execute("insert into navigate.crm__users select * from copied")


def test_the_database_refuses_a_current_segment_that_ends(warehouse: PgConnection) -> None:
    history_of(warehouse, version("a", at(1)), version("b", at(2), "Bea"))
    for change in ("_atlas_is_current = true", "_atlas_valid_to = null, _atlas_closed_by = null"):
        with pytest.raises(psycopg.errors.CheckViolation):
            warehouse.execute(f"update navigate.crm__users set {change}".encode())


def test_navigate_before_chart_is_one_sentence(warehouse: PgConnection) -> None:
    with pytest.raises(WarehouseError) as error:
        navigate(warehouse, STREAM)
    assert str(error.value) == "crm/users: chart is empty; materialize it first"
