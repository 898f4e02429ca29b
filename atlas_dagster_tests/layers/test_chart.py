"""Chart holds a typed row for each record version, and says which keys, instants and contents."""

from __future__ import annotations

from typing import Any

import pytest

from atlas_dagster.errors import WarehouseError
from atlas_dagster.layers.chart import ChartResult
from atlas_dagster.rules import StreamRules
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.layers.support import (
    at,
    chart,
    create_landing,
    insert_explore,
    land,
    load,
    make_stream,
    rows,
    start_layers,
)
from atlas_dagster_tests.properties.oracle import Version

PROPERTIES = {
    "id": {"type": "integer"},
    "name": {"type": "string"},
    "box": {"type": "object"},
    "amount": {"type": "number"},
    "price": {"type": "number"},
    "seen_at": {"type": "string", "format": "date-time"},
}
STREAM = make_stream(PROPERTIES)
DAY_1, DAY_2 = (at(1).date(), at(1).date()), (at(2).date(), at(2).date())


def version(raw_id: str, day: int = 1, **data: Any) -> Version:
    return Version(raw_id, at(day), {"id": 1, **data})


def charted(connection: PgConnection, *versions: Version, **rules: Any) -> list[dict[str, Any]]:
    start_layers(connection, STREAM)
    insert_explore(connection, STREAM, versions)
    chart(connection, STREAM, StreamRules(**rules))
    return rows(connection, STREAM, "chart")


def hashes(connection: PgConnection, *data: dict[str, Any], **rules: Any) -> list[int]:
    found = charted(connection, *(version(f"{n:03}", **d) for n, d in enumerate(data)), **rules)
    return [row["_atlas_row_hash"] for row in found]


def test_a_chart_row_is_the_version_typed(warehouse: PgConnection) -> None:
    create_landing(warehouse, STREAM)
    seen = at(1, 5)
    land(warehouse, STREAM, [version("a", name="Ann", box={"x": 1}, seen_at=seen)])
    load(warehouse, STREAM)
    assert chart(warehouse, STREAM) == ChartResult(1, rows=1, invalid=0, total=1, rebuilt=None)
    (row,) = rows(warehouse, STREAM, "chart")
    assert row.pop("_atlas_row_hash") is not None
    assert row == {
        "id": 1,
        "name": "Ann",
        "box": {"x": 1},
        "amount": None,
        "price": None,
        "seen_at": seen,
        "_airbyte_raw_id": "a",
        "_airbyte_extracted_at": at(1),
        "_atlas_sync_id": 1,
        "_atlas_natural_key": "1",
        "_atlas_instant": at(1),
        "_atlas_sequence": None,
        "_atlas_deleted": False,
        "_atlas_valid": True,
        "_atlas_errors": None,
        "_atlas_pii_checked": False,
        "_atlas_quality_score": None,
        "_atlas_validated_at": None,
        "_atlas_partition": at(1).date(),
        "_atlas_run_id": "run",
    }


def test_a_build_takes_its_days_only(warehouse: PgConnection) -> None:
    start_layers(warehouse, STREAM)
    insert_explore(warehouse, STREAM, [version("a"), version("b", day=2), version("c", day=3)])
    first = chart(warehouse, STREAM, days=DAY_2)
    assert (first.inserted, first.rows, first.total) == (1, 1, 1)
    second = chart(warehouse, STREAM, days=(DAY_1[0], DAY_2[0]))
    assert (second.inserted, second.rows, second.total) == (1, 2, 2)


def test_a_day_built_again_writes_nothing_and_takes_what_came_late(
    warehouse: PgConnection,
) -> None:
    start_layers(warehouse, STREAM)
    insert_explore(warehouse, STREAM, [version("b")])
    chart(warehouse, STREAM)
    before = places(warehouse)
    assert chart(warehouse, STREAM).inserted == 0
    assert places(warehouse) == before
    insert_explore(warehouse, STREAM, [version("a")])
    assert chart(warehouse, STREAM, days=DAY_1).inserted == 1
    assert set(before) < set(places(warehouse))


def places(connection: PgConnection) -> list[tuple[Any, ...]]:
    """Where each row lies and which transaction wrote it: any write shows."""
    return connection.execute(
        "select _airbyte_raw_id, ctid::text, xmin::text, xmax::text from chart.crm__users"
    ).fetchall()


@pytest.mark.parametrize(
    ("key", "data"),
    [
        ((("id",),), {"id": None}),
        ((("id",), ("name",)), {"id": 1}),
        ((("id",), ("name",)), {"id": 1, "name": None}),
        ((("box", "x"),), {"box": None}),
        ((("box", "x"),), {"box": {}}),
        ((("box", "x"),), {"box": {"x": None}}),
        ((("box", "x"),), {"box": {"x": [1]}, "id": 1} | {"box": [1]}),
        ((("id",),), {"id": "no number"}),
    ],
)
def test_a_version_without_its_whole_key_is_invalid(
    warehouse: PgConnection, key: Any, data: dict[str, Any]
) -> None:
    (row,) = charted(warehouse, version("a", **data), natural_key=key)
    assert (row["_atlas_natural_key"], row["_atlas_valid"]) == (None, False)


KEYS = [
    ({"id": 1, "name": ""}, {"id": 1, "name": " "}),
    ({"id": 1, "name": "b,c"}, {"id": 1, "name": 'b","c'}),
    ({"id": 1, "name": "é"}, {"id": 1, "name": "e\u0301"}),
    ({"id": 1, "name": "x" * 5000 + "a"}, {"id": 1, "name": "x" * 5000 + "b"}),
    ({"id": 1, "name": "表" * 400 + "a"}, {"id": 1, "name": "表" * 400 + "b"}),
]


@pytest.mark.parametrize("pair", KEYS, ids=range(len(KEYS)))
@pytest.mark.parametrize("key", [(("name",),), (("id",), ("name",))], ids=["alone", "composite"])
def test_two_keys_stay_two(
    warehouse: PgConnection, key: Any, pair: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    first, second = charted(
        warehouse, version("a", **pair[0]), version("b", **pair[1]), natural_key=key
    )
    assert first["_atlas_valid"]
    assert first["_atlas_natural_key"] != second["_atlas_natural_key"]


def test_keys_that_differ_in_how_their_parts_divide_stay_two(warehouse: PgConnection) -> None:
    key = (("box", "x"), ("name",))
    first, second = charted(
        warehouse,
        version("a", box={"x": "a,b"}, name="c"),
        version("b", box={"x": "a"}, name="b,c"),
        natural_key=key,
    )
    assert first["_atlas_natural_key"] != second["_atlas_natural_key"]


NESTED = [1, "1", True, "true", "1.5", 1.5, -1, "-1", "", "a", '"a"', [], "[]", {}, "{}", [1]]


@pytest.mark.parametrize("key", [(("box", "x"),), (("box",),)], ids=["nested", "top"])
def test_values_of_different_types_are_different_keys(warehouse: PgConnection, key: Any) -> None:
    found = charted(
        warehouse,
        *(version(f"{n:02}", box={"x": x} if len(key[0]) > 1 else x) for n, x in enumerate(NESTED)),
        natural_key=key,
    )
    assert len({row["_atlas_natural_key"] for row in found}) == len(NESTED)


@pytest.mark.parametrize(
    ("key", "data", "text"),
    [
        ((("id",),), {"id": -5}, "-5"),
        ((("name",),), {"name": "Ann B."}, "Ann B."),
        ((("amount",),), {"amount": "1.50"}, "1.5"),
        ((("box", "x"),), {"box": {"x": "a-7"}}, "a-7"),
        ((("box", "x"),), {"box": {"x": 7.0}}, "7"),
        ((("id",), ("name",)), {"id": 1, "name": "a"}, '["1", "a"]'),
        ((("seen_at",),), {"seen_at": "2024-01-01T01:00:00+01:00"}, "2024-01-01"),
    ],
)
def test_a_key_can_be_read(
    warehouse: PgConnection, key: Any, data: dict[str, Any], text: str
) -> None:
    (row,) = charted(warehouse, version("a", **data), natural_key=key)
    assert row["_atlas_natural_key"] == text


SAME: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"name": None}, {}),
    ({"box": {"a": 1}}, {"box": {"a": 1.0}}),
    ({"box": {"a": 1}}, {"box": {"a": 1, "b": None}}),
    ({"box": {"a": {}}}, {"box": {"a": {"b": None}}}),
    ({"box": {"a": [{}]}}, {"box": {"a": [{"b": None}]}}),
    ({"box": {"a": [1.50, 2.00]}}, {"box": {"a": [1.5, 2]}}),
    ({"box": {"b": 1, "a": 2}}, {"box": {"a": 2, "b": 1}}),
    ({"amount": 1}, {"amount": 1.0}),
    ({"amount": -0.0}, {"amount": 0}),
    ({"seen_at": "2024-01-01T00:00:00Z"}, {"seen_at": "2024-01-01 02:00:00.000+02:00"}),
]

DIFFERENT: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"name": ""}, {}),
    ({"name": "1"}, {"name": "1.0"}),
    ({"name": "a"}, {"name": "a "}),
    ({"amount": 5}, {"amount": -5}),
    ({"amount": 1, "price": 1}, {"amount": 10_000, "price": 10_000}),
    ({"amount": 1, "price": 10_000}, {"amount": 10_000, "price": 1}),
    ({"amount": 1, "price": 2}, {"amount": 2, "price": 1}),
    ({"amount": 1}, {"price": 1}),
    ({"amount": 0}, {}),
    ({"box": {}}, {}),
    ({"box": 1}, {"box": "1"}),
    ({"box": 1}, {"box": True}),
    ({"box": {"a": "1.0"}}, {"box": {"a": "1"}}),
    ({"box": {"a": "1.50]"}}, {"box": {"a": "1.5]"}}),
    ({"box": {"a": '".0,'}}, {"box": {"a": '",'}}),
    ({"box": {"1.0": 1.0}}, {"box": {"1": 1.0}}),
    ({"box": {"a": 5}}, {"box": {"a": -5}}),
    ({"box": {"a": 100}}, {"box": {"a": 1}}),
    ({"box": {"a": [None]}}, {"box": {"a": []}}),
    ({"box": {"a": [1, 2]}}, {"box": {"a": [2, 1]}}),
    ({"box": [0] * 64}, {"box": [1] * 64}),
    ({"box": [*range(64)]}, {"box": [32, *range(1, 32), 0, *range(33, 64)]}),
    ({"box": {"a": {"x": 1}, "y": 2}}, {"box": {"a": {"x": 1, "y": 2}}}),
    ({"box": [[1], 2, 3]}, {"box": [[1, 2], 3]}),
    (
        {"box": {f"f{n:02}": False for n in range(32)}},
        {"box": {f"f{n:02}": True for n in range(32)}},
    ),
    ({"seen_at": "2024-01-01T00:00:00Z"}, {"seen_at": "2024-01-01T00:00:00.000001Z"}),
    ({"seen_at": "1970-01-01T00:00:00Z"}, {"seen_at": "1970-01-01T01:11:34.967297Z"}),
]


def test_equal_contents_have_equal_hashes(warehouse: PgConnection) -> None:
    found = hashes(warehouse, *(data for pair in SAME for data in pair))
    unequal = [pair for pair, a, b in zip(SAME, found[::2], found[1::2], strict=True) if a != b]
    assert unequal == []


def test_a_change_anywhere_changes_the_hash(warehouse: PgConnection) -> None:
    found = hashes(warehouse, *(data for pair in DIFFERENT for data in pair))
    missed = [pair for pair, a, b in zip(DIFFERENT, found[::2], found[1::2], strict=True) if a == b]
    assert missed == []


def test_ignored_columns_are_not_hashed(warehouse: PgConnection) -> None:
    first, second, third = hashes(
        warehouse,
        {"name": "a", "amount": 1},
        {"name": "b", "amount": 1},
        {"name": "a", "amount": 2},
        ignore=frozenset({"name"}),
    )
    assert first == second != third


def test_a_column_more_and_another_order_leave_hashes_as_they_were(
    warehouse: PgConnection,
) -> None:
    (before,) = hashes(warehouse, {"name": "a", "amount": 1})
    reordered = dict(reversed(PROPERTIES.items()))
    wider = make_stream({"more": {"type": "string"}, **reordered})
    insert_explore(warehouse, wider, [version("z", name="a", amount=1)])
    insert_explore(warehouse, wider, [version("zz", name="a", amount=1, more="b")])
    chart(warehouse, wider)
    _, same, other = rows(warehouse, wider, "chart")
    assert same["_atlas_row_hash"] == before != other["_atlas_row_hash"]
    assert other["more"] == "b"


def test_other_rules_build_the_whole_chart_anew(warehouse: PgConnection) -> None:
    start_layers(warehouse, STREAM)
    insert_explore(warehouse, STREAM, [version("a", name="x"), version("b", day=2, name="y")])
    chart(warehouse, STREAM)
    rules = StreamRules(natural_key=(("name",),))
    result = chart(warehouse, STREAM, rules, days=DAY_1)
    assert (result.rebuilt, result.total) == ("its rules of history changed", 2)
    assert [row["_atlas_natural_key"] for row in rows(warehouse, STREAM, "chart")] == ["x", "y"]
    assert not chart(warehouse, STREAM, rules, days=DAY_1).rebuilt


@pytest.mark.parametrize(
    ("column", "value", "instant"),
    [
        ("seen_at", "2024-01-09T01:00:00+01:00", at(9)),
        ("seen_at", None, at(1)),
        ("seen_at", "never", at(1)),
    ],
)
def test_the_source_time_counts_where_the_operator_names_it_and_a_version_has_it(
    warehouse: PgConnection, column: str, value: Any, instant: Any
) -> None:
    (row,) = charted(warehouse, version("a", **{column: value}), time_column=column)
    assert row["_atlas_instant"] == instant
    assert row["_atlas_partition"] == at(1).date()


def test_a_stream_without_a_key_makes_every_distinct_record_its_own(
    warehouse: PgConnection,
) -> None:
    keyless = make_stream({"id": {"type": "integer"}, "name": {"type": "string"}}, key=())
    start_layers(warehouse, keyless)
    insert_explore(
        warehouse,
        keyless,
        [
            Version("a", at(1), {"id": 1, "name": "x"}),
            Version("b", at(2), {"id": 1, "name": "x"}),
            Version("c", at(2), {"id": 1, "name": "y"}),
            Version("d", at(2), {"id": None, "name": None}),
        ],
    )
    chart(warehouse, keyless)
    a, b, c, d = (row["_atlas_natural_key"] for row in rows(warehouse, keyless, "chart"))
    assert a == b
    assert len({a, c, d, None}) == 4


def test_chart_before_explore_is_one_sentence(warehouse: PgConnection) -> None:
    with pytest.raises(WarehouseError) as error:
        chart(warehouse, STREAM)
    assert str(error.value) == "crm/users: explore is empty; materialize it first"
